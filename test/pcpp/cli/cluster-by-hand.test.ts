import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { decodePng } from '../../../pcpp/index.js';
import { type Command, Terminal } from '../../helpers/command.js';
import { descendantsOf, isAlive } from '../../helpers/descendants.js';
import { until } from '../../helpers/until.js';

interface ByHand {
  readonly url: string;
  readonly head: Command;
  readonly nodes: readonly Command[];
}

async function startByHand(terminal: Terminal, nodes: number): Promise<ByHand> {
  const head = terminal.start('start', '--head', '--port', '0');
  const [, url] = await head.printed(/Head at (ws:\S+),/);
  await head.printed(/patchbay stop/);
  const started = Array.from({ length: nodes }, (_, index) =>
    terminal.start('start', '--address', url!, '--cpus', '1', '--name', `n${index}`),
  );
  await Promise.all(started.map((node) => node.printed(/Node \S+ joined/)));
  return { url: url!, head, nodes: started };
}

test.serial('head, nodes, status, generate, stop, and nothing stays', async (t) => {
  await using terminal = new Terminal();
  const { url, head, nodes } = await startByHand(terminal, 2);
  const token = join(terminal.folder, 'home', 'token');
  t.is(statSync(token).mode & 0o777, 0o600);

  const status = await terminal.run('status', '--address', url);
  t.regex(status.stdout, /2 nodes, 0 actors/);
  t.regex(status.stdout, /n0\s+0\/1 cpu/);

  const prompt = 'a sailboat on a lake at sunset';
  const options = ['--size', '128x192', '--steps', '6', '--seed', '7', '--warmup', '2'];
  const where = ['--address', url, '-o', 'boat.png'];
  const made = await terminal.run('generate', prompt, ...options, '--mode', 'pcpp', ...where);
  t.is(made.code, 0, made.stderr);
  t.regex(made.stdout, /128x192, seed 7, pcpp on 2 devices/);
  t.regex(made.stdout, /per displaced step, \d+ % less than DistriFusion/);
  const png = decodePng(readFileSync(join(terminal.folder, 'boat.png')));
  t.is(png.image.width, 128);
  t.is(png.image.height, 192);
  t.is(png.text['Prompt'], prompt);

  const started = [head, ...nodes].flatMap(({ pid }) => [pid, ...descendantsOf(pid)]);
  t.true(started.length > 3);
  const stopped = await terminal.run('stop');
  t.is(stopped.code, 0, stopped.stderr);
  t.is(stopped.stdout.match(/Stopped/g)?.length, 3);
  for (const command of [head, ...nodes]) t.is((await command.outcome).code, 0);
  await until('all processes are gone', () => started.every((pid) => !isAlive(pid)));
  t.regex((await terminal.run('stop')).stdout, /Nothing runs here/);
});

test.serial('a service keeps a model for whoever asks, until it is told to stop', async (t) => {
  await using terminal = new Terminal();
  const { url } = await startByHand(terminal, 2);
  const where = ['--address', url];
  const service = terminal.start('serve', ...where, '--name', 'mine');
  await service.printed(/Service mine: \S+scenes on 2 devices\n.*--service mine/);
  const small = ['--size', '64x128', '--steps', '3', '--warmup', '1', '--images', '2'];
  const asked = ['generate', 'alps', ...small, ...where, '--service', 'mine', '--priority', '2'];
  const made = await terminal.run(...asked, '-o', 'alps.png');
  t.is(made.code, 0, made.stderr);
  t.is(made.stdout.match(/alps-\d\.png: 64x128, seed [01], pcpp on 2 devices/g)?.length, 2);
  const nobody = await terminal.run('generate', 'alps', ...where, '--service', 'yours');
  t.is(nobody.code, 1);
  t.regex(nobody.stderr, /E_NAME_UNKNOWN: no living actor named yours/);
  const second = await terminal.run('serve', ...where, '--name', 'mine');
  t.is(second.code, 1);
  t.regex(second.stderr, /E_NAME_TAKEN/);
  service.kill('SIGINT');
  t.is((await service.outcome).code, 0);
  await until('its devices are free', async () => {
    const { stdout } = await terminal.run('status', ...where);
    return ['n0', 'n1'].every((node) => new RegExp(`${node}\\s+0/1 cpu`).test(stdout));
  });
  const kept = await terminal.run('serve', ...where, '--detached', '--devices', '1');
  t.is(kept.code, 0, kept.stderr);
  const later = await terminal.run(
    'generate',
    'alps',
    '--size',
    '64x64',
    '--steps',
    '2',
    ...where,
    '--service',
    'generation',
  );
  t.is(later.code, 0, later.stderr);
  t.regex(later.stdout, /on one device/);
  t.regex((await terminal.run('stop')).stdout, /Stopped/);
});

test.serial('a node that is killed outright takes its hosts with it', async (t) => {
  await using terminal = new Terminal();
  const { url, nodes } = await startByHand(terminal, 1);
  const [node] = nodes;
  const hosts = descendantsOf(node!.pid);
  node!.kill('SIGKILL');
  await until('its hosts are gone', () => hosts.every((pid) => !isAlive(pid)));
  const status = await terminal.run('status', '--address', url);
  t.regex(status.stdout, /0 nodes/);
  t.regex((await terminal.run('stop')).stdout, /Stopped head/);
});

test.serial('a node whose head goes away says so and ends', async (t) => {
  await using terminal = new Terminal();
  const { head, nodes } = await startByHand(terminal, 1);
  head.kill('SIGKILL');
  const { code, stderr } = await nodes[0]!.outcome;
  t.is(code, 1);
  t.regex(stderr, /E_PEER_LOST: the head is gone/);
});

test.serial('a wrong token, a wrong address and a taken name are told apart', async (t) => {
  await using terminal = new Terminal();
  await using stranger = new Terminal();
  const { url } = await startByHand(terminal, 1);
  const without = await stranger.run('status', '--address', url);
  t.is(without.code, 1);
  t.regex(without.stderr, /E_TOKEN: no token/);
  await stranger.start('start', '--head', '--port', '0').printed(/patchbay stop/);
  const wrong = await stranger.run('generate', 'x', '--address', url);
  t.is(wrong.code, 1);
  t.regex(wrong.stderr, /E_TOKEN: \S+ refused the token/);
  const taken = await terminal.run('start', '--address', url, '--name', 'n0');
  t.regex(taken.stderr, /E_NAME_TAKEN: a node named n0/);
  const nobody = await terminal.run('generate', 'x', '--address', 'ws://127.0.0.1:1');
  t.is(nobody.code, 1);
  t.regex(nobody.stderr, /E_UNREACHABLE: no cluster at ws:\/\/127\.0\.0\.1:1/);
  const malformed = await terminal.run('status', '--address', 'localhost');
  t.regex(malformed.stderr, /E_OPTION: address localhost is not of the form/);
});

test.serial('a port that is taken is named', async (t) => {
  await using terminal = new Terminal();
  const { url } = await startByHand(terminal, 0);
  const { port } = new URL(url);
  const second = await terminal.run('start', '--head', '--port', port);
  t.is(second.code, 1);
  t.regex(second.stderr, new RegExp(`E_LISTEN: cannot listen on 127\\.0\\.0\\.1:${port}`));
});
