import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { openStored } from '../../helpers/stored.js';
import { until } from '../../helpers/until.js';

const mib = 2 ** 20;
const megabyte = (value: number): Float32Array<ArrayBuffer> =>
  new Float32Array(mib / 4).fill(value);
const spilled = (): readonly string[] =>
  readdirSync(tmpdir())
    .filter((name) => name.startsWith('patchbay-spill-'))
    .flatMap((name) => readdirSync(join(tmpdir(), name)));

test.serial('what there is no room for goes to disk and comes back as it was', async (t) => {
  const { opened, cluster, lib } = await openStored({ objectStoreBytes: 8 * mib });
  await using _ = opened;
  const refs = Array.from({ length: 20 }, (_, n) => cluster.put(megabyte(n)));
  await Promise.all(refs.map((ref) => ref.settled()));
  t.true(spilled().length >= 12, `${spilled().length}`);
  const reader = await lib.Reader.create({ resources: {} });
  for (const [n, numbers] of refs.entries()) {
    t.deepEqual(await reader.ends({ numbers }), [n, n]);
  }
  // Results of tasks too, in the store of their node.
  const made = Array.from({ length: 20 }, (_, n) => lib.plusOne(refs[n]!));
  for (const [n, ref] of made.entries()) t.is((await ref).at(-1), n + 1);
  cluster.free(refs);
  await until('the files are removed', () => spilled().length === 0);
  await t.throwsAsync(Promise.resolve(refs[0]!), { code: 'E_OBJECT_LOST', message: /freed/ });
});

test.serial('memory that somebody looks at is never used again, nor written to', async (t) => {
  const { opened, cluster, lib } = await openStored({ objectStoreBytes: 8 * mib });
  await using _ = opened;
  const reader = await lib.Reader.create({ resources: {} });
  const held = [1, 2, 3].map((value) => cluster.put(megabyte(value)));
  for (const numbers of held) await reader.hold({ numbers });
  const sums = await reader.sums();
  cluster.free(held);
  for (let n = 0; n < 30; n++) {
    const numbers = cluster.put(megabyte(100 + n));
    t.deepEqual(await reader.ends({ numbers }), [100 + n, 100 + n]);
    cluster.free([numbers]);
  }
  t.deepEqual(await reader.sums(), sums);
});

test.serial(
  'a store full of what is mapped says so, and takes more when it is let go',
  async (t) => {
    const { opened, cluster, lib } = await openStored({ objectStoreBytes: 4 * mib });
    await using _ = opened;
    await t.throwsAsync(Promise.resolve(cluster.put(new Uint8Array(5 * mib))), {
      code: 'E_STORE_FULL',
      message: /can never fit: the store has 4194304; raise objectStoreBytes/,
    });
    const reader = await lib.Reader.create({ resources: {} });
    const refs = [1, 2, 3].map((value) => cluster.put(megabyte(value)));
    for (const numbers of refs) await reader.hold({ numbers });
    await t.throwsAsync(Promise.resolve(cluster.put(new Uint8Array(2 * mib))), {
      code: 'E_STORE_FULL',
      message: /have them mapped; let go of values/,
    });
    await reader.letGo();
    t.is((await cluster.put(new Uint8Array(2 * mib))).length, 2 * mib);
    t.deepEqual(await reader.ends({ numbers: refs[2]! }), [3, 3]);
  },
);

test.serial('what a process that is killed had mapped is free again', async (t) => {
  const { opened, cluster, lib } = await openStored({ objectStoreBytes: 4 * mib });
  await using _ = opened;
  const reader = await lib.Reader.create({ resources: {} });
  const refs = [1, 2, 3].map((value) => cluster.put(megabyte(value)));
  for (const numbers of refs) await reader.hold({ numbers });
  process.kill(await reader.pid(), 'SIGKILL');
  await until('there is room', async () => {
    const room = cluster.put(new Uint8Array(3 * mib));
    return room.settled().then(
      () => true,
      () => false,
    );
  });
  t.pass();
});
