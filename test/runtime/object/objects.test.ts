import test from 'ava';
import { connect, type LocalCluster, startCluster } from '../../../runtime/index.js';

const tasks = new URL('../../fixtures/actors/tasks.js', import.meta.url);
type Tasks = typeof import('../../fixtures/actors/tasks.js');

const open = (): Promise<LocalCluster> => startCluster({ workers: 1, resources: { cpu: 2 } });

test.serial(
  'what is put is got, passed on inside values, and fetched where it is wanted',
  async (t) => {
    await using local = await open();
    const { cluster } = local;
    const lib = await cluster.load<Tasks>(tasks);
    const numbers = cluster.put(Float32Array.from({ length: 300_000 }, (_, n) => n));
    t.is((await numbers).length, 300_000);
    // As an argument a ref stands for its value; inside one it stays a ref, which the task may await.
    t.is(await lib.lengthOf(numbers), 300_000);
    t.is(await lib.lengthInside({ numbers }), 300_000);
    // A task may hand a ref of its own back; its value is fetched from there while that process lives.
    const keeper = await lib.Keeper.create({ resources: {} });
    await keeper.keep({ numbers });
    t.is(await keeper.lengthKept(), 300_000);
    const back = await keeper.give();
    t.is((await back.numbers).length, 300_000);
    const thread = await lib.ThreadKeeper.create({ resources: {} });
    await thread.keep({ numbers });
    t.is(await thread.lengthKept(), 300_000);
  },
);

test.serial('get and wait, with and without patience', async (t) => {
  await using local = await open();
  const { cluster } = local;
  const lib = await cluster.load<Tasks>(tasks);
  t.deepEqual(await cluster.get([cluster.put(1), cluster.put(2), lib.square(3)]), [1, 2, 9]);
  const never = lib.untilAborted();
  const quick = lib.slowPid(1);
  const { ready, pending } = await cluster.wait<string | number>([never, quick]);
  t.deepEqual([ready, pending], [[quick], [never]]);
  await t.throwsAsync(cluster.get([quick, never] as never, { timeoutMs: 20 }), {
    code: 'E_TIMEOUT',
    message: /1 of 2 objects/,
  });
  const late = await cluster.wait([never], { timeoutMs: 10 });
  t.deepEqual(late, { ready: [], pending: [never] });
  t.deepEqual(await cluster.wait([]), { ready: [], pending: [] });
  never.cancel();
});

test.serial('an object that was freed, or whose owner is gone, says so', async (t) => {
  await using local = await open();
  const other = await connect({ address: local.address, token: local.token });
  const lib = await local.cluster.load<Tasks>(tasks);
  const keeper = await lib.Keeper.create({ resources: {} });
  const freed = local.cluster.put(Float32Array.of(1));
  await keeper.keep({ numbers: freed });
  local.cluster.free([freed]);
  await t.throwsAsync(keeper.lengthKept(), { code: 'E_OBJECT_LOST', message: /was freed/ });
  const theirs = other.put(Float32Array.of(1, 2));
  const others = await (await other.load<Tasks>(tasks)).Keeper.create({
    name: 'k',
    lifetime: 'detached',
    resources: {},
  });
  await others.keep({ numbers: theirs });
  await other.close();
  const ours = await local.cluster.actor<InstanceType<Tasks['Keeper']>>('k');
  await t.throwsAsync(ours.lengthKept(), { code: 'E_OBJECT_LOST', message: /its owner/ });
});
