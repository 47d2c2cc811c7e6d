import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import type { ActorHandle, Cluster, Remote } from '../../../runtime/index.js';
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
