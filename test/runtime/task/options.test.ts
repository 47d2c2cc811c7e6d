import test from 'ava';
import { connect, startCluster } from '../../../runtime/index.js';
import { until } from '../../helpers/until.js';

const tasks = new URL('../../fixtures/actors/tasks.js', import.meta.url);
type Tasks = typeof import('../../fixtures/actors/tasks.js');

test.serial('a task with several returns gives a ref for each', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 1 } });
  const lib = await local.cluster.load<Tasks>(tasks);
  const [quotient, rest] = lib.divmod.with({ numReturns: 2 })(17, 5);
  t.is(await lib.add(quotient, rest), 5);
  const three = lib.divmod.with({ numReturns: 3 })(1, 1);
  for (const ref of three) {
    await t.throwsAsync(Promise.resolve(ref), {
      code: 'E_OPTION',
      message: 'task divmod returned 2 values, numReturns is 3',
    });
  }
  t.throws(() => lib.divmod.with({ numReturns: 0 })(1, 1), { code: 'E_OPTION' });
});

test.serial('cancelling a task cancels the tasks that it waits for', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 2 } });
  const lib = await local.cluster.load<Tasks>(tasks);
  const tally = await lib.Tally.create({ resources: {} });
  const parent = lib.parentOfCountAbort(tally);
  await until('the child runs', async () => (await tally.count()) === 1);
  parent.cancel();
  await t.throwsAsync(Promise.resolve(parent), { code: 'E_ABORTED' });
  await until('the child was aborted', async () => (await tally.count()) === 2);
});

test.serial('a task runs on the node, or in the bundle, that it was told', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  const lib = await local.cluster.load<Tasks>(tasks);
  for (const node of ['node-1', 'node-0']) {
    t.is(await lib.nodeName.with({ schedulingStrategy: { node } })(), node);
  }
  await t.throwsAsync(
    Promise.resolve(lib.nodeName.with({ schedulingStrategy: { node: 'node-7' } })()),
    { code: 'E_NO_ROOM', message: /node node-7 is not there/ },
  );
  await t.throwsAsync(Promise.resolve(lib.nodeName.with({ labelSelector: { a: 'in(' } })()), {
    code: 'E_OPTION',
  });
  await using group = await local.cluster.group([{ cpu: 1 }, { cpu: 1 }], {
    strategy: 'strict-spread',
  });
  const inBundle = (index: number) => lib.nodeName.with({ bundle: { group, index } })();
  t.deepEqual([await inBundle(0), await inBundle(1)].sort(), ['node-0', 'node-1']);
});

test.serial(
  'names live in the namespace of the program, also those that its tasks give',
  async (t) => {
    await using local = await startCluster({ workers: 1, namespace: 'mine' });
    const { address, token } = local;
    const lib = await local.cluster.load<Tasks>(tasks);
    t.is(await lib.nameTally('t'), 1);
    t.is(await (await local.cluster.actor<{ add(): number }>('t')).add(), 2);
    await using other = await connect({ address, token });
    await t.throwsAsync(other.actor('t'), { code: 'E_NAME_UNKNOWN' });
    t.is(await (await other.actor<{ add(): number }>('t', 'mine')).add(), 3);
  },
);

test.serial(
  'a stream that waits for a process can be given up, and a dead one is not leased again',
  async (t) => {
    await using local = await startCluster({ workers: 1, resources: { cpu: 1 } });
    const lib = await local.cluster.load<Tasks>(tasks);
    const tally = await lib.Tally.create({ resources: {} });
    const running = lib.countAbort(tally);
    await until('the processor is taken', async () => (await tally.count()) === 1);
    const first = async (stream: AsyncGenerator<number>) => (await stream.next()).value;
    await t.throwsAsync(first(lib.upTo.with({ timeoutMs: 50 }).stream(3)), { code: 'E_TIMEOUT' });
    await t.throwsAsync(first(lib.upTo.with({ signal: AbortSignal.abort() }).stream(3)), {
      code: 'E_ABORTED',
    });
    running.cancel();
    await t.throwsAsync(first(lib.dyingStream.stream()), { code: 'E_ACTOR_DEAD' });
    t.is(await lib.square.with({ retries: 0 })(3), 9);
  },
);
