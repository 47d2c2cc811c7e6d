import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import test from 'ava';
import { length, openStored as open, ramp } from '../../helpers/stored.js';
import { until } from '../../helpers/until.js';

test.serial('what is put is read in place by actors, threads, tasks and the driver', async (t) => {
  const { opened, cluster, lib } = await open();
  await using _ = opened;
  const numbers = cluster.put(ramp());
  const mine = await numbers;
  t.is(mine.at(-1), length - 1);
  const reader = await lib.Reader.create({ resources: {} });
  const thread = await lib.ThreadReader.create({ resources: {} });
  t.is(await reader.poke({ numbers }, 11), length);
  t.is(mine[0], 11);
  t.is(await thread.poke({ numbers }, 12), length);
  t.is(mine[0], 12);
  t.is(await lib.poke(numbers, 13), length);
  t.is(mine[0], 13);
  t.deepEqual(await reader.ends({ numbers }), [13, length - 1]);
});

test.serial('a large result stays on its node and outlives the process that made it', async (t) => {
  const { opened, lib } = await open();
  await using _ = opened;
  const result = lib.ramp.with({ maxCalls: 1 })(length);
  await result.settled();
  t.is(result.place?.node, 'node-0');
  const reader = await lib.Reader.create({ resources: {} });
  t.deepEqual(await reader.ends({ numbers: result }), [0, length - 1]);
  const mine = await result;
  t.is(await lib.poke(result, 5), length);
  t.is(mine[0], 5);
  // Results that are passed on from task to task.
  t.is((await lib.plusOne(lib.plusOne(result)))[1], 3);
  t.is(await lib.putInside(1_000), 499_500);
  t.is(await lib.putInside(length), await lib.sumOf(lib.ramp(length)));
});

test.serial('an array that is allocated in shared memory is put without a copy', async (t) => {
  const { opened, cluster, lib } = await open();
  await using _ = opened;
  const array = await cluster.allocate(Float32Array, length);
  t.true(array.every((n) => n === 0));
  array.fill(2);
  const numbers = cluster.put(array);
  const reader = await lib.Reader.create({ resources: {} });
  t.deepEqual(await reader.ends({ numbers }), [2, 2]);
  await reader.poke({ numbers }, 7);
  t.is(array[0], 7);
  // Put once more it is copied, as any array is.
  const again = cluster.put(array);
  await reader.poke({ numbers: again }, 9);
  t.is(array[0], 7);
});

test.serial('what is small, or cannot be encoded, stays as it was', async (t) => {
  const { opened, cluster } = await open();
  await using _ = opened;
  const small = cluster.put(new Uint8Array(100));
  const odd = cluster.put({ bytes: new Uint8Array(1 << 20), call: () => 1 });
  t.is((await small).length, 100);
  t.is((await odd).call(), 1);
  t.is(small.place, undefined);
  t.is(odd.place, undefined);
});

test.serial('a ref among the arguments of a call is fetched once', async (t) => {
  const { opened, cluster, lib } = await open();
  await using _ = opened;
  const reader = await lib.Reader.create({ resources: {} });
  const small = cluster.put(Float32Array.of(1, 2, 3));
  t.is(await reader.poke({ numbers: small }, 4), 3);
  // The array is its own: had it been fetched again, its first number would be 1.
  t.deepEqual(await reader.ends({ numbers: small }), [4, 3]);
});

test.serial('what is freed before it is written, or made, goes when it is there', async (t) => {
  const { opened, cluster, lib } = await open();
  await using _ = opened;
  const refs = [cluster.put(ramp()), lib.ramp(length)];
  cluster.free(refs);
  for (const ref of refs) {
    await t.throwsAsync(Promise.resolve(ref), { code: 'E_OBJECT_LOST', message: /was freed/ });
  }
  await until('the stores are empty', async () => (await cluster.storedObjects()).length === 0);
});

test.serial('the memory of a cluster is gone with it', async (t) => {
  // Other tests have folders of theirs beside it.
  const root = mkdtempSync('/dev/shm/patchbay-test-');
  process.env['PATCHBAY_SHARED_MEMORY'] = root;
  try {
    {
      const { opened, cluster, lib } = await open();
      await using _ = opened;
      t.is(await lib.sumOf(cluster.put(new Float32Array(length))), 0);
      await lib.ramp(length);
      t.is(readdirSync(root).length, 2);
    }
    t.deepEqual(readdirSync(root), []);
  } finally {
    delete process.env['PATCHBAY_SHARED_MEMORY'];
    rmSync(root, { recursive: true });
  }
});

test.serial('without shared memory the socket carries it all, and one line says so', async (t) => {
  process.env['PATCHBAY_SHARED_MEMORY'] = 'off';
  const said: string[] = [];
  const { warn } = console;
  console.warn = (text: string) => said.push(text);
  try {
    const { opened, cluster, lib } = await open();
    await using _ = opened;
    const numbers = cluster.put(ramp());
    await numbers;
    t.is(numbers.place, undefined);
    t.is((await cluster.allocate(Float32Array, length)).length, length);
    const reader = await lib.Reader.create({ resources: {} });
    const thread = await lib.ThreadReader.create({ resources: {} });
    t.deepEqual(await reader.ends({ numbers }), [0, length - 1]);
    t.deepEqual(await thread.ends({ numbers }), [0, length - 1]);
    t.is((await lib.ramp(length)).length, length);
    t.is(said.length, 1);
    t.regex(said[0]!, /large objects travel by socket: PATCHBAY_SHARED_MEMORY is off/);
  } finally {
    console.warn = warn;
    delete process.env['PATCHBAY_SHARED_MEMORY'];
  }
});
