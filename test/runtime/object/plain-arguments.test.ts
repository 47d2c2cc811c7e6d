/** Large arrays as arguments and results of calls on one machine: no refs, and yet no way over the socket. */

import { join } from 'node:path';
import test from 'ava';
import { length, openStored, ramp } from '../../helpers/stored.js';
import { tempFolder } from '../../helpers/temp-folder.js';
import { until } from '../../helpers/until.js';

const isLent = ({ buffer, byteLength }: Float32Array): boolean => buffer.byteLength === byteLength;
const sum = (length * (length - 1)) / 2;
const near = (value: number | undefined): boolean => Math.abs(value! - sum) < sum / 1e5;

test('arguments and results of actors and tasks lie in shared memory, also when they are tried again', async (t) => {
  const { opened, lib } = await openStored();
  await using _ = opened;
  const array = ramp();
  const [reader, other, thread] = await Promise.all([
    lib.Reader.create({ resources: {} }),
    lib.Reader.create({ resources: {} }),
    lib.ThreadReader.create({ resources: {} }),
  ]);
  await until('driver to actor', () => reader.isLent(array));
  await until('actor to actor', () => reader.isLentTo(other, array));
  await until('driver to task', async () => lib.isLent(array));
  await until('actor to driver', async () => isLent(await reader.poked(array, 5)));
  await until('driver to a thread', () => thread.isLent(array));
  t.deepEqual(await thread.endsOf(array), [0, length - 1]);
  // A result of the thread, which it was lent itself.
  t.deepEqual([...(await thread.poked(array, 4)).subarray(0, 2)], [4, 1]);
  await until('a result by way of a thread', () => thread.isLentTo(other, array));
  // What the actor wrote to was its own.
  t.is(array[0], 0);
  const result = await reader.poked(array, 6);
  result[1] = 7;
  t.deepEqual([array[1], (await reader.poked(array, 6))[1]], [1, 1]);

  // Told ones keep their order, and what the caller does to its array afterwards is its own affair.
  for (const first of [1, 2, 3]) {
    array[0] = first;
    reader.tell.keep(array);
  }
  array.fill(0);
  const sums = await reader.sums();
  t.is(sums.length, 3);
  t.true(sums.every(near), sums.join());
  await reader.letGo();

  // A call that is tried again finds its argument again.
  const folder = tempFolder('tries');
  const full = ramp();
  t.true(near(await lib.sumAfterDeath(full, join(folder, 'task'))));
  const again = await lib.Reader.create({ resources: {}, maxRestarts: 2, maxTaskRetries: 1 });
  await until('driver to actor', () => again.isLent(full));
  t.true(near(await again.sumAfterDeath(full, join(folder, 'actor'))));
  await until('driver to the actor in its second life', () => again.isLent(full));
});
