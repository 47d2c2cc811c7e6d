import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { connect, type LogLine } from '../../../runtime/index.js';
import { Command } from '../../helpers/command.js';
import { openCluster } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';

type Talkers = typeof import('../../fixtures/actors/talker.js');
const talkers = new URL('../../fixtures/actors/talker.js', import.meta.url);
const program = fileURLToPath(new URL('../../fixtures/actors/log-driver.js', import.meta.url));

/** Keeps the lines of a cluster's actors. */
class Heard {
  readonly lines: LogLine[] = [];
  readonly take = (line: LogLine): void => {
    this.lines.push(line);
  };

  texts(): readonly string[] {
    return this.lines.map(({ label, node, stream, text }) => `${label} ${node} ${stream} ${text}`);
  }

  has(text: string): boolean {
    return this.lines.some((line) => line.text === text);
  }
}

test.serial('a program prints each line of its actors once, with who said it', async (t) => {
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'] });
  const { code, stdout, stderr } = await new Command(child).outcome;
  t.is(code, 0, stderr);
  t.is(stdout, '(Talker "c", node-0) first\n(Talker "c", node-0) second\n');
  t.is(stderr, '(Talker "c", node-0) third\n');
});

test.serial(
  'lines of actors, threads and tasks arrive, also of those that actors own',
  async (t) => {
    const heard = new Heard();
    await using opened = await openCluster({ workers: 1, logToDriver: heard.take });
    const lib = await opened.cluster.load<Talkers>(talkers);
    const talker = await lib.Talker.create({ name: 'one' });
    const thread = await lib.ThreadTalker.create({ name: 'two' });
    await talker.complain('from an actor');
    await thread.say('from a thread');
    await lib.say('from a task');
    await talker.ownTalker('I am owned');
    await until('all have been heard', () => heard.lines.length >= 5);
    t.deepEqual([...heard.texts()].sort(), [
      'Talker "one" node-0 stderr from an actor',
      'Talker "one" node-0 stdout I am owned, and so do I',
      'Talker "own" node-0 stdout I am owned',
      'ThreadTalker "two" node-0 stdout from a thread',
      'task worker node-0 stdout from a task',
    ]);
  },
);

test.serial(
  'what is printed last arrives: before a death is told, and before a program leaves',
  async (t) => {
    const heard = new Heard();
    await using opened = await openCluster({ workers: 1, logToDriver: heard.take });
    const lib = await opened.cluster.load<Talkers>(talkers);
    const talker = await lib.Talker.create();
    await talker.mutter('no end of line');
    const message = /exit code 3 \(it held [\d.]+ GiB of memory\); its last words:\n {2}last words/;
    await t.throwsAsync(talker.die(), { message });
    t.true(heard.has('last words'));
    t.true(heard.has('no end of line'));

    const { address, local } = { address: opened.local.address, local: opened.local };
    const guest = await connect({ address, token: local.token, logToDriver: heard.take });
    const other = await (await guest.load<Talkers>(talkers)).Talker.create();
    await other.say('goodbye');
    await guest.close();
    t.true(heard.has('goodbye'));
  },
);

test.serial(
  'only the driver that an actor works for hears it, and only if it wants to',
  async (t) => {
    const [heard, overheard] = [new Heard(), new Heard()];
    await using opened = await openCluster({ workers: 1, logToDriver: heard.take });
    const { address, token } = opened.local;
    await using deaf = await connect({ address, token, logToDriver: false });
    await using other = await connect({ address, token, logToDriver: overheard.take });
    const unheard = await (await deaf.load<Talkers>(talkers)).Talker.create();
    const talker = await (await opened.cluster.load<Talkers>(talkers)).Talker.create();
    const another = await (await other.load<Talkers>(talkers)).Talker.create();
    await unheard.say('to nobody');
    await talker.say('to the first');
    await another.say('to the second');
    await until('both have heard', () => heard.lines.length > 0 && overheard.lines.length > 0);
    t.deepEqual(
      heard.lines.map(({ text }) => text),
      ['to the first'],
    );
    t.deepEqual(
      overheard.lines.map(({ text }) => text),
      ['to the second'],
    );
  },
);

test.serial('an actor that floods is cut short, and what is missing is told', async (t) => {
  const heard = new Heard();
  await using opened = await openCluster({ workers: 1, logToDriver: heard.take });
  const lib = await opened.cluster.load<Talkers>(talkers);
  const [noisy, quiet] = [await lib.Talker.create(), await lib.Talker.create()];
  const began = performance.now();
  await noisy.flood(100_000);
  await quiet.say('still heard');
  const told = /^\[(\d+) lines dropped/;
  const dropped = (): number =>
    heard.lines.reduce((sum, { text }) => sum + Number(told.exec(text)?.[1] ?? 0), 0);
  const whole = (): number => heard.lines.filter(({ text }) => /^\d+$/.test(text)).length;
  await until('every line is either here or counted', () => whole() + dropped() === 100_000);
  const allowed = 2_000 + (performance.now() - began);
  t.true(whole() >= 2_000 && whole() <= allowed, `${whole()} of ${allowed}`);
  await until('the other one is heard', () => heard.has('still heard'));
});
