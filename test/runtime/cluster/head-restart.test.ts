import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import type { ActorHandle, Cluster, Remote } from '../../../runtime/index.js';
import { allGone } from '../../helpers/processes.js';
import { RestartingCluster } from '../../helpers/restarting-cluster.js';
import { until } from '../../helpers/until.js';

type Counters = typeof import('../../fixtures/actors/counter.js');
type Counter = ActorHandle<InstanceType<Counters['Counter']>>;
type Tasks = typeof import('../../fixtures/actors/tasks.js');
const counters = new URL('../../fixtures/actors/counter.js', import.meta.url);
const tasks = new URL('../../fixtures/actors/tasks.js', import.meta.url);

/** Calls one after the other until it is told to stop; each must count exactly once. */
class Load {
  calls = 0;
  tasks = 0;
  readonly ended: Promise<unknown>;
  #stopped = false;

  constructor(counter: Counter, square: Remote<Tasks>['square']) {
    this.ended = Promise.all([this.#call(counter), this.#run(square)]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.ended;
  }

  async #call(counter: Counter): Promise<void> {
    while (!this.#stopped) {
      const value = await counter.add(1);
      this.calls++;
      if (value !== this.calls) throw new Error(`${value} after ${this.calls} calls`);
    }
  }

  async #run(square: Remote<Tasks>['square']): Promise<void> {
    while (!this.#stopped) {
      const result = await square(this.tasks);
      if (result !== this.tasks ** 2) throw new Error(`${this.tasks} squared is not ${result}`);
      this.tasks++;
    }
  }
}

async function loadOf(driver: Cluster, name: string): Promise<Load> {
  const [lib, functions] = [await driver.load<Counters>(counters), await driver.load<Tasks>(tasks)];
  const counter = await lib.Counter.create({ name });
  return new Load(counter, functions.square);
}

const isFree = async (driver: Cluster): Promise<boolean> =>
  (await driver.status()).nodes.every(({ free, total }) => isDeepStrictEqual(free, total));

test.serial(
  'a head killed under load: no call is lost, and what it knew is there again',
  async (t) => {
    await using opened = await RestartingCluster.start([6, 6]);
    await opened.startNode('n2', 1, '--resources', '{"slot": 1}');
    const drivers = [await opened.connect(), await opened.connect()];
    const loads = await Promise.all(drivers.map((driver, at) => loadOf(driver, `c${at}`)));
    const group = await drivers[0]!.group([{ cpu: 1 }, { cpu: 1 }], { strategy: 'strict-spread' });
    const lib = await drivers[0]!.load<Counters>(counters);
    const kept = await lib.Counter.create({ name: 'kept', lifetime: 'detached', args: [41] });
    const first = await lib.Counter.create({ resources: { slot: 1 } });
    const pending = lib.Counter.create({ resources: { slot: 1 }, name: 'pending' });
    await until('it waits', async () => {
      const { actors } = await drivers[1]!.status();
      return actors.some(({ label, phase }) => label.includes('pending') && phase === 'pending');
    });

    await opened.killHead();
    const before = loads.map(({ calls }) => calls);
    const asked = drivers[1]!.status();
    await until('calls go on without a head', () =>
      loads.every(({ calls }, at) => calls > before[at]! + 100),
    );
    await opened.startHead();

    t.is((await asked).nodes.length, 3);
    const late = await opened.connect();
    const found = await late.actor<InstanceType<Counters['Counter']>>('kept');
    t.is(await found.add(1), 42);
    t.is(await kept.value(), 42);
    await until('all nodes are back', async () => {
      const { nodes } = await late.status();
      return nodes.every(({ isAway }) => !isAway);
    });
    t.deepEqual(
      (await late.status()).groups.map(({ id, ready }) => [id, ready]),
      [[group.id, true]],
    );
    const inBundle = await lib.Counter.create({ bundle: { group, index: 1 } });
    t.is(await inBundle.add(1), 1);
    await first.kill();
    const placed = await pending;
    t.is(await placed.add(2), 2);

    const after = loads.map(({ tasks: done }) => done);
    await until('tasks run', () => loads.every(({ tasks: done }, at) => done > after[at]! + 20));
    for (const load of loads) await load.stop();
    await group.remove();
    await Promise.all(drivers.map((driver) => driver.close()));
    await found.kill();
    await until('all resources are free again', () => isFree(late));
    const { actors, groups } = await late.status();
    t.deepEqual([actors.filter(({ phase }) => phase !== 'dead'), groups], [[], []]);
  },
);

test.serial('actors and tasks asked for while the head is killed are made once each', async (t) => {
  await using opened = await RestartingCluster.start([20, 20]);
  const driver = await opened.connect();
  const lib = await driver.load<Counters>(counters);
  const functions = await driver.load<Tasks>(tasks);
  const nested = functions.fibonacci(6);
  const asked: Promise<Counter>[] = [];
  for (let at = 0; at < 6; at++) asked.push(lib.Counter.create({ name: `c${at}` }));
  // Some have come up, some are on their way.
  await Promise.race(asked);
  await opened.killHead();
  for (let at = 6; at < 12; at++) asked.push(lib.Counter.create({ name: `c${at}` }));
  const stop = new AbortController();
  const unwanted = lib.Counter.create({ name: 'unwanted', signal: stop.signal });
  stop.abort();
  await t.throwsAsync(unwanted, { code: 'E_ABORTED' });
  await opened.startHead();
  const made = await Promise.all(asked);
  t.deepEqual(await Promise.all(made.map((counter) => counter.add(1))), Array(12).fill(1));
  t.is(await nested, 8);
  const living = async (): Promise<number> =>
    (await driver.status()).actors.filter(
      ({ label, phase }) => label !== 'task worker' && phase !== 'dead',
    ).length;
  t.is(await living(), 12);
  await Promise.all(made.map((counter) => counter.kill()));
  await until('all resources are free again', () => isFree(driver));
});

test.serial('what ended while the head was away is told after it is back', async (t) => {
  await using opened = await RestartingCluster.start([4]);
  const driver = await opened.connect();
  const lib = await driver.load<Counters>(counters);
  const mortal = await lib.Counter.create();
  // The driver may not have noticed the death when it calls: then the call is tried again.
  const options = { maxRestarts: 1, maxTaskRetries: 1, args: [10] as [number] };
  const restarting = await lib.Counter.create(options);
  const notes = await lib.Notebook.create({ maxRestarts: 1, maxTaskRetries: 1 });
  const pids = await Promise.all([mortal.pid(), restarting.pid()]);
  await opened.killHead();
  await notes.write('while the head was away');
  // Its snapshot has been taken before it answers another call.
  await notes.lines();
  notes.tell.die();
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await allGone(pids);
  const dead = t.throwsAsync(mortal.add(1), { code: 'E_ACTOR_DEAD', message: /died of SIGKILL/ });
  const alive = restarting.add(1);
  await opened.startHead();
  await dead;
  t.is(await alive, 11);
  t.deepEqual(await notes.lines(), ['while the head was away']);
  await Promise.all([restarting.kill(), notes.kill()]);
  await until('all resources are free again', () => isFree(driver));
});

test.serial(
  'while the head is away, tasks run on leases that are held, wherever their arguments are',
  async (t) => {
    await using opened = await RestartingCluster.start([1, 1]);
    const driver = await opened.connect();
    const lib = await driver.load<typeof import('../../fixtures/actors/stored.js')>(
      new URL('../../fixtures/actors/stored.js', import.meta.url),
    );
    const numbers = lib.ramp.with({ schedulingStrategy: { node: 'n0' } })(300_000);
    await numbers.settled();
    await lib.Reader.create({ resources: { cpu: 1 }, schedulingStrategy: { node: 'n0' } });
    t.is(await lib.nodeName(), 'n1');
    // So that the lease is kept.
    let isOver = false;
    const busy = (async () => {
      while (!isOver) await lib.nodeName();
    })();
    await opened.killHead();
    await until('the driver knows', async () => {
      const options = { signal: AbortSignal.timeout(100) };
      const error = await t.throwsAsync(driver.jobs.wait('none', options));
      return (error as { code?: string }).code === 'E_ABORTED';
    });
    let where = '';
    const task = lib.nodeWith(numbers).then((name) => {
      where = name;
    });
    try {
      await until('it has run', () => where !== '');
      t.is(where, 'n1');
    } finally {
      await opened.startHead();
      await task;
      isOver = true;
      await busy;
    }
  },
);

test.serial('a job goes on, and whoever waits for it hears its end', async (t) => {
  await using opened = await RestartingCluster.start([4]);
  const driver = await opened.connect();
  const file = join(opened.terminal.folder, 'go');
  const command = `until test -e ${file}; do sleep 0.05; done; exit 3`;
  const job = await driver.jobs.submit({ command });
  await until('it runs', async () => (await driver.jobs.status(job)).phase === 'running');
  const ended = driver.jobs.wait(job);
  await opened.killHead();
  await opened.startHead();
  t.is((await driver.jobs.status(job)).phase, 'running');
  writeFileSync(file, '');
  t.like(await ended, { phase: 'failed', exitCode: 3 });
  await until('all resources are free again', () => isFree(driver));
});

test.serial(
  'a node that was started anew by its old name takes the place of the lost one',
  async (t) => {
    await using opened = await RestartingCluster.start([4]);
    const driver = await opened.connect();
    const lib = await driver.load<Counters>(counters);
    const counter = await lib.Counter.create({ name: 'c' });
    await opened.killHead();
    opened.nodes[0]!.kill('SIGKILL');
    await opened.nodes[0]!.outcome;
    await opened.startHead();
    const call = t.throwsAsync(counter.add(1), {
      code: 'E_ACTOR_DEAD',
      message: /its node n0 was lost/,
    });
    await opened.startNode('n0', 4);
    await call;
    t.is(await (await lib.Counter.create({ name: 'c' })).add(1), 1);
  },
);

test.serial('another cluster at the address adopts nobody', async (t) => {
  await using opened = await RestartingCluster.start([4]);
  const driver = await opened.connect();
  const lib = await driver.load<Counters>(counters);
  const pid = await (await lib.Counter.create()).pid();
  await opened.killHead();
  const asked = driver.status();
  await Promise.all([
    t.throwsAsync(asked, { code: 'E_PEER_LOST', message: /there is another cluster now/ }),
    opened.startHead('--fresh'),
  ]);
  const { code, stderr } = await opened.nodes[0]!.outcome;
  t.is(code, 1);
  t.regex(stderr, /E_PEER_LOST: .*there is another cluster now/);
  await allGone([pid]);
  t.deepEqual((await (await opened.connect()).status()).nodes, []);
});

test.serial('a node and a driver that wait in vain give up', async (t) => {
  await using opened = await RestartingCluster.start([]);
  const node = await opened.startNode('n0', 1, '--reconnect-timeout', '0.5');
  const driver = await opened.connect({ reconnectTimeoutMs: 500 });
  await opened.killHead();
  await t.throwsAsync(driver.status(), { code: 'E_PEER_LOST', message: /no head was back/ });
  const { code, stderr } = await node.outcome;
  t.is(code, 1);
  t.regex(stderr, /E_PEER_LOST: the head is gone: .*no head was back .*within 0.5 s/);
});

test.serial(
  'a head that is stopped ends its cluster and forgets it; one that is killed does not',
  async (t) => {
    await using opened = await RestartingCluster.start([2]);
    const driver = await opened.connect();
    const journal = join(opened.terminal.folder, 'home', 'journal', new URL(opened.url).port);
    t.true(existsSync(join(journal, 'data.mdb')));
    await opened.killHead();
    t.true(existsSync(join(journal, 'data.mdb')));
    await opened.startHead();
    await driver.status();
    const second = await opened.terminal.run('start', '--head', '--port', new URL(opened.url).port);
    t.regex(second.stderr, /E_JOURNAL: .*in use by process/);
    opened.head.kill('SIGINT');
    t.is((await opened.head.outcome).code, 0);
    t.false(existsSync(journal));
    await t.throwsAsync(driver.status(), { code: 'E_PEER_LOST', message: /the head stops/ });
    t.regex((await opened.nodes[0]!.outcome).stderr, /the head is gone: .*the head stops/);
  },
);

test.serial(
  'a head that comes back and whose own node fails leaves the cluster alone',
  async (t) => {
    await using opened = await RestartingCluster.start([2]);
    const driver = await opened.connect();
    const counter = await (await driver.load<Counters>(counters)).Counter.create();
    await counter.add(1);
    await opened.killHead();
    // There is no place for the folder of a node.
    opened.terminal.env['TMPDIR'] = join(opened.terminal.folder, 'nowhere');
    await opened.startHead('--cpus', '1');
    const { code, stderr } = await opened.head.outcome;
    t.is(code, 1);
    t.regex(stderr, /nowhere/);
    delete opened.terminal.env['TMPDIR'];
    await opened.startHead();
    t.is((await driver.status()).actors.length, 1);
    t.is(await counter.add(1), 2);
  },
);

test.serial('a damaged journal is named, and can be forgotten', async (t) => {
  await using opened = await RestartingCluster.start([]);
  const journal = join(opened.terminal.folder, 'home', 'journal', new URL(opened.url).port);
  await opened.killHead();
  writeFileSync(join(journal, 'data.mdb'), 'garbage '.repeat(4_000));
  const refused = await opened.terminal.run('start', '--head', '--port', new URL(opened.url).port);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /E_JOURNAL: journal .* is damaged .*--fresh/);
  await opened.startHead('--fresh');
  t.deepEqual((await (await opened.connect()).status()).nodes, []);
});
