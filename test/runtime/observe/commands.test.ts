/** `list`, `logs` and `timeline` as a user runs them, against a head and a node that were started by hand. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { type Cluster, connect, type Remote, type StoredObject } from '../../../runtime/index.js';
import type { ChromeTrace } from '../../../runtime/observe/chrome-trace.js';
import { Terminal } from '../../helpers/command.js';
import { until } from '../../helpers/until.js';

type Talkers = typeof import('../../fixtures/actors/talker.js');

interface Context {
  readonly terminal: Terminal;
  readonly cluster: Cluster;
  readonly lib: Remote<Talkers>;
}

const test = anyTest as TestFn<Context>;

test.serial.before(async (t) => {
  const terminal = new Terminal();
  const head = terminal.start('start', '--head', '--port', '0', '--cpus', '3', '--name', 'n0');
  const [, address] = await head.printed(/Head at (ws:\S+),/);
  const [, dashboard] = await head.printed(/Dashboard at (http:\S+\/),/);
  t.true((await fetch(dashboard!)).ok);
  await head.printed(/Node n0 joined/);
  terminal.env['PATCHBAY_ADDRESS'] = address!;
  const token = terminal.token();
  const cluster = await connect({ address: address!, token, logToDriver: false });
  const talkers = new URL('../../fixtures/actors/talker.js', import.meta.url);
  t.context = { terminal, cluster, lib: await cluster.load<Talkers>(talkers) };
});

test.serial.after.always(async (t) => {
  await t.context.cluster.close();
  await t.context.terminal[Symbol.asyncDispose]();
});

/** What a command prints with `--json`. */
async function json<Value>({ terminal }: Context, ...args: readonly string[]): Promise<Value> {
  const { code, stdout, stderr } = await terminal.run(...args, '--json');
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Value;
}

test.serial('list actors: phases, names and filters', async (t) => {
  const { terminal, lib } = t.context;
  const alive = await lib.Talker.create({ name: 'alive', resources: {} });
  const dead = await lib.Talker.create({ name: 'dead', resources: {} });
  await t.throwsAsync(dead.die());
  const all = await terminal.run('list', 'actors');
  t.regex(all.stdout, /^id +class +phase +node +resources/);
  t.regex(all.stdout, /Talker "alive" +alive +n0/);
  t.regex(all.stdout, /Talker "dead" +dead .*ended with exit code 3/);
  const some = await json<{ label: string }[]>(t.context, 'list', 'actors', '--phase', 'alive');
  t.deepEqual(
    some.map(({ label }) => label),
    ['Talker "alive"'],
  );
  const wrong = await terminal.run('list', 'actors', '--phase', 'asleep');
  t.is(wrong.code, 1);
  t.regex(wrong.stderr, /E_OPTION: --phase asleep: actors have the phases: pending, starting/);
  await alive.kill();
});

test.serial('list nodes and groups', async (t) => {
  const { cluster, terminal } = t.context;
  await using group = await cluster.group([{ cpu: 1 }, { cpu: 1 }]);
  await until('the agent has told how its hosts are', async () => 'n0' in (await cluster.stats()));
  const nodes = await terminal.run('list', 'nodes');
  t.regex(
    nodes.stdout,
    /n0 +3 cpu, [\d.]+ GiB memory +1 cpu, [\d.]+ GiB memory +0 +machine=[^ ]+, execution-provider=cpu +\d busy, \d warm +\d+ MiB/,
  );
  const groups = await terminal.run('list', 'groups', '--phase', 'ready');
  t.regex(groups.stdout, new RegExp(`${group.id} +pack +ready +n0, n0`));
  t.deepEqual(await json(t.context, 'list', 'groups', '--phase', 'waiting'), []);
  t.like((await json<object[]>(t.context, 'list', 'groups'))[0], { id: group.id, phase: 'ready' });
});

test.serial('list objects: large ones, where they lie and who reads them', async (t) => {
  const { cluster, terminal } = t.context;
  const ref = cluster.put(new Uint8Array(3 << 20));
  const view = await ref;
  const found = await json<StoredObject[]>(t.context, 'list', 'objects');
  t.like(found, [{ store: `driver ${process.pid}`, as: 'original', where: 'memory', readers: 1 }]);
  const { stdout } = await terminal.run('list', 'objects');
  t.regex(stdout, new RegExp(`${ref.place?.key} +driver \\d+ +3.0 MiB +original +memory +1`));
  cluster.free([ref]);
  t.is(view.length, 3 << 20);
});

interface Tasks {
  readonly functions: readonly { name: string; finished: number; failed: number }[];
  readonly workers: readonly { phase: string }[];
}

test.serial('list tasks: what has finished and failed, by function', async (t) => {
  const { lib, terminal } = t.context;
  await Promise.all([
    lib.say('a'),
    lib.say('b'),
    lib.say('c'),
    t.throwsAsync(async () => lib.fail()),
  ]);
  const counted = async (): Promise<Tasks> => json<Tasks>(t.context, 'list', 'tasks');
  await until('hosts and agent have told', async () => (await counted()).functions.length === 2);
  t.deepEqual((await counted()).functions, [
    { name: 'fail', finished: 0, failed: 1 },
    { name: 'say', finished: 3, failed: 0 },
  ]);
  t.regex((await terminal.run('list', 'tasks')).stdout, /function +finished +failed\nfail +0 +1\n/);
});

interface Runs {
  readonly runs: readonly { name: string; phase: string; node: string; ms: number }[];
}

test.serial('list tasks: one by one, what runs before what has ended', async (t) => {
  const { lib, terminal } = t.context;
  const stop = new AbortController();
  const running = lib.linger.with({ signal: stop.signal })();
  const ended = t.throwsAsync(async () => running, { code: 'E_ABORTED' });
  const runs = async (...args: readonly string[]): Promise<Runs['runs']> =>
    (await json<Runs>(t.context, 'list', 'tasks', ...args)).runs;
  await until('it runs', async () => (await runs())[0]?.name === 'linger');
  const [first, ...others] = await runs();
  t.like(first, { phase: 'running', node: 'n0' });
  t.deepEqual(others.map(({ name, phase }) => `${name} ${phase}`).sort(), [
    'fail failed',
    'say finished',
    'say finished',
    'say finished',
  ]);
  t.deepEqual(
    (await runs('--phase', 'failed')).map(({ name }) => name),
    ['fail'],
  );
  t.regex(
    (await terminal.run('list', 'tasks')).stdout,
    /\ntask +phase +node +worker +began +took\nlinger +running +n0 +\w+ +\S+Z +\d+ ms\n/,
  );
  stop.abort();
  await ended;
  await until('it has ended', async () => (await runs('--phase', 'running')).length === 0);
});

test.serial('logs: of the living and the dead, by name and id, and only the last', async (t) => {
  const { cluster, lib, terminal } = t.context;
  const talker = await lib.Talker.create({ name: 'logged', resources: {} });
  for (const text of ['one', 'two', 'three']) await talker.say(text);
  await talker.complain('four');
  const read = async (...args: readonly string[]): Promise<string> =>
    (await terminal.run('logs', ...args)).stdout;
  const id = (await cluster.status()).actors.find(({ label }) => label.includes('logged'))!.id;
  await until('all is there', async () => (await terminal.run('logs', id)).stderr === 'four\n');
  t.is(await read('logged'), 'one\ntwo\nthree\n');
  t.is(await read('logged', '--tail', '2'), 'three\n');
  await t.throwsAsync(talker.die());
  const { stdout, stderr } = await terminal.run('logs', 'logged');
  t.deepEqual([stdout, stderr], ['one\ntwo\nthree\n', 'four\nlast words\n']);
  const unknown = await terminal.run('logs', 'nobody');
  t.is(unknown.code, 1);
  t.regex(unknown.stderr, /E_NAME_UNKNOWN: no actor with the name or id nobody/);
});

test.serial('logs --follow goes on until the actor is dead', async (t) => {
  const { lib, terminal } = t.context;
  const talker = await lib.Talker.create({ name: 'followed', resources: {} });
  await talker.say('before');
  const following = terminal.start('logs', 'followed', '--follow');
  await following.printed(/before/);
  await talker.say('after');
  await following.printed(/after/);
  await t.throwsAsync(talker.die());
  const { code, stdout, stderr } = await following.outcome;
  t.deepEqual([code, stdout, stderr], [0, 'before\nafter\n', 'last words\n']);
});

test.serial('logs --follow ends in peace when it is told to', async (t) => {
  const { lib, terminal } = t.context;
  const talker = await lib.Talker.create({ name: 'left', resources: {} });
  await talker.say('hello');
  const following = terminal.start('logs', 'left', '--follow');
  await following.printed(/hello/);
  following.kill('SIGINT');
  const { code, stderr } = await following.outcome;
  t.deepEqual([code, stderr], [0, '']);
  await talker.kill();
});

test.serial('logs --follow ends in peace when nobody reads it any more', async (t) => {
  const { lib, terminal } = t.context;
  const talker = await lib.Talker.create({ name: 'unread', resources: {} });
  await talker.say('hello');
  const following = terminal.start('logs', 'unread', '--follow');
  await following.printed(/hello/);
  following.closeStdout();
  await talker.say('to a closed pipe');
  const { code, stderr } = await following.outcome;
  t.deepEqual([code, stderr], [0, '']);
  await talker.kill();
});

test.serial('timeline: spans of calls and tasks, on named processes and threads', async (t) => {
  const { lib, terminal } = t.context;
  const talker = await lib.Talker.create({ name: 'timed', resources: {} });
  await talker.say('a');
  await t.throwsAsync(talker.fail());
  await talker.work();
  await lib.say('b');
  const threaded = await lib.ThreadTalker.create({ name: 'threaded', resources: {} });
  await threaded.work();
  await until('both say what they have done', async () => {
    const { actors } = await t.context.cluster.status();
    return actors.filter(({ note }) => note === 'has worked').length === 2;
  });
  await threaded.kill();
  // Also spans of a task worker whose lease is over are in it, and of an actor that was stopped.
  await until('the lease is given back, and the actor has ended', async () => {
    const { actors } = await t.context.cluster.status();
    const ended = ['task worker', 'ThreadTalker "threaded"'];
    return actors.every(({ label, phase }) => !ended.includes(label) || phase === 'dead');
  });
  const { code, stdout, stderr } = await terminal.run('timeline', '-o', 'trace.json');
  t.is(code, 0, stderr);
  t.regex(stdout, /trace\.json: \d+ spans of \d+ hosts on 1 nodes/);
  const text = readFileSync(join(terminal.folder, 'trace.json'), 'utf8');
  const { traceEvents } = JSON.parse(text) as ChromeTrace;
  const named = (what: string): readonly unknown[] =>
    traceEvents.filter(({ name }) => name === what).map(({ args }) => args?.['name']);
  t.deepEqual(named('process_name'), ['n0']);
  /** Of one host, whatever rows they lie on. */
  const spansOf = (label: string) => {
    const threads = traceEvents.filter(({ args }) => String(args?.['name']).startsWith(label));
    const tids = threads.map(({ tid }) => tid);
    return traceEvents.filter(({ ph, tid }) => ph === 'X' && tids.includes(tid));
  };
  const spans = spansOf('Talker "timed"');
  t.deepEqual(spans.map(({ name, cat, args }) => [name, cat, args?.['failed']]).sort(), [
    ['begin', 'part', undefined],
    ['end', 'part', undefined],
    ['fail', 'actor', true],
    ['say', 'actor', undefined],
    ['work', 'actor', undefined],
  ]);
  t.deepEqual(
    spansOf('ThreadTalker "threaded"')
      .map(({ name, cat }) => [name, cat])
      .sort(),
    [
      ['begin', 'part'],
      ['end', 'part'],
      ['work', 'actor'],
    ],
  );
  t.true(spans.every(({ ts, dur }) => ts! >= 0 && dur! >= 0));
  t.true(traceEvents.some(({ name, cat }) => name === 'say' && cat === 'task'));
  // Actors that have been stopped are in it as well; one that died took its spans along.
  t.true(named('thread_name').some((name) => String(name).startsWith('Talker "left"')));
});
