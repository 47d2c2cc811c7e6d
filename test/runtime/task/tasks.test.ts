import test from 'ava';
import { type LocalCluster, type ObjectRef, startCluster } from '../../../runtime/index.js';
import { until } from '../../helpers/until.js';

const tasks = new URL('../../fixtures/actors/tasks.js', import.meta.url);
type Tasks = typeof import('../../fixtures/actors/tasks.js');

const open = (workers: number): Promise<LocalCluster> =>
  startCluster({ workers, resources: { cpu: 1 } });

test.serial('results, errors, refs as arguments, streams', async (t) => {
  await using local = await open(2);
  const lib = await local.cluster.load<Tasks>(tasks);
  t.is(await lib.square(4), 16);
  const nine: ObjectRef<number> = lib.square(3);
  t.is(await lib.add(lib.square(2), nine), 13);
  t.true(nine.isSettled);
  const error = await t.throwsAsync(Promise.resolve(lib.failing('no')), { message: 'no' });
  t.is((error as { code?: unknown }).code, 'E_MINE');
  t.regex(error.stack ?? '', /tasks\.ts/);
  // An argument that fails fails the task.
  await t.throwsAsync(Promise.resolve(lib.add(1, lib.failing('the argument'))), {
    message: 'the argument',
  });
  const items: number[] = [];
  for await (const item of lib.upTo.stream(200)) items.push(item);
  t.deepEqual(
    items,
    Array.from({ length: 200 }, (_, index) => index + 1),
  );
  const pids = new Set<number>();
  await until('both processors are at work', async () => {
    const batch = await Promise.all(Array.from({ length: 20 }, () => lib.slowPid(20)));
    for (const pid of batch) pids.add(pid);
    return pids.size === 2;
  });
});

test.serial('a task is tried again when its process dies, as often as it may', async (t) => {
  await using local = await open(1);
  const lib = await local.cluster.load<Tasks>(tasks);
  await using counter = await lib.Tally.create({ resources: {} });
  t.is(await lib.dieUntil(counter, 3), 3);
  t.is(await counter.count(), 3);
  await t.throwsAsync(Promise.resolve(lib.dieUntil.with({ retries: 1 })(counter, 9)), {
    code: 'E_ACTOR_DEAD',
    message: /exit code 3/,
  });
  t.is(await counter.count(), 5);
  await t.throwsAsync(Promise.resolve(lib.failUntil(counter, 9)), { message: 'not yet' });
  t.is(await counter.count(), 6);
  const again = lib.failUntil.with({ retryOn: ({ message }) => message === 'not yet' });
  t.is(await again(counter, 9), 9);
});

test.serial('cancelled, timed out and infeasible tasks say so', async (t) => {
  await using local = await open(1);
  const lib = await local.cluster.load<Tasks>(tasks);
  const running = lib.untilAborted();
  const waiting = lib.square(2);
  running.cancel('enough');
  await t.throwsAsync(Promise.resolve(running), { code: 'E_ABORTED', message: /untilAborted/ });
  t.is(await waiting, 4);
  await t.throwsAsync(Promise.resolve(lib.untilAborted.with({ timeoutMs: 50 })()), {
    code: 'E_TIMEOUT',
    message: /untilAborted took longer than 50 ms/,
  });
  const abort = new AbortController();
  const signalled = lib.untilAborted.with({ signal: abort.signal })();
  abort.abort();
  await t.throwsAsync(Promise.resolve(signalled), { code: 'E_ABORTED' });
  await t.throwsAsync(Promise.resolve(lib.square.with({ resources: { cpu: 9 } })(1)), {
    code: 'E_NO_ROOM',
    message: /needs 9 cpu, has 1/,
  });
  t.is(await lib.square(3), 9);
});

test.serial('tasks that wait for tasks do not block each other on one processor', async (t) => {
  await using local = await open(1);
  const lib = await local.cluster.load<Tasks>(tasks);
  t.is(await lib.fibonacci(5), 5);
});

test.serial('maxCalls renews the process', async (t) => {
  await using local = await open(1);
  const lib = await local.cluster.load<Tasks>(tasks);
  const pid = lib.pid.with({ maxCalls: 2 });
  const pids: number[] = [];
  for (let n = 0; n < 4; n++) pids.push(await pid());
  t.is(pids[0], pids[1]);
  t.not(pids[1], pids[2]);
  t.is(pids[2], pids[3]);
});

test.serial(
  'a process waits for the next task of its module, without holding resources',
  async (t) => {
    await using local = await open(1);
    const lib = await local.cluster.load<Tasks>(tasks);
    const pid = await lib.pid();
    await until('the lease is given back', async () => {
      const { nodes, actors } = await local.cluster.status();
      return nodes[0]?.free['cpu'] === 1 && actors.every(({ phase }) => phase === 'dead');
    });
    t.is(await lib.pid(), pid);
  },
);

test.serial('many short tasks all come back, and the leases are given back', async (t) => {
  await using local = await open(2);
  const lib = await local.cluster.load<Tasks>(tasks);
  const results = await Promise.all(Array.from({ length: 5_000 }, (_, n) => lib.square(n)));
  t.deepEqual(
    results,
    results.map((_, n) => n * n),
  );
  const idle = async (): Promise<boolean> => {
    const { nodes } = await local.cluster.status();
    return nodes.every(({ free, total }) => free['cpu'] === total['cpu']);
  };
  while (!(await idle())) await lib.pid.with({ resources: {} })();
  t.pass();
});
