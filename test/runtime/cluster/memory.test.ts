import test from 'ava';
import { startCluster } from '../../../runtime/index.js';

const tasks = new URL('../../fixtures/actors/tasks.js', import.meta.url);
type Tasks = typeof import('../../fixtures/actors/tasks.js');

const outOfMemory = {
  code: 'E_OUT_OF_MEMORY',
  message: /it held 0\.\d\d GiB of memory and was given 0\.20 GiB/,
};

test.serial('an actor that takes more memory than it was given ends, and says so', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 1, memory: 1 } });
  const lib = await local.cluster.load<Tasks>(tasks);
  const greedy = await lib.Tally.create({ resources: { memory: 0.2 } });
  t.deepEqual((await local.cluster.status()).nodes[0]!.free, { cpu: 1, memory: 0.8 });
  await t.throwsAsync(greedy.fillMemory(400), outOfMemory);
  t.deepEqual((await local.cluster.status()).nodes[0]!.free, { cpu: 1, memory: 1 });
  const again = await lib.Tally.create({ resources: { memory: 0.2 }, maxRestarts: 1 });
  await t.throwsAsync(again.fillMemory(400), { message: /was restarted/ });
  t.is(await again.add(), 1);
  await t.throwsAsync(lib.Tally.create({ resources: { memory: 2 } }), {
    code: 'E_NO_ROOM',
    message: /needs 2 memory, has 1/,
  });
});

test.serial('a task that takes too much is tried again as often as it may', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 1, memory: 1 } });
  const lib = await local.cluster.load<Tasks>(tasks);
  const tally = await lib.Tally.create({ resources: {} });
  const fill = lib.fillMemory.with({ resources: { memory: 0.2 }, retries: 1 });
  await t.throwsAsync(Promise.resolve(fill(tally, 400)), outOfMemory);
  t.is(await tally.count(), 2);
});
