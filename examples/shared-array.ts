/** `node dist/examples/shared-array.js [length] [tasks]`: one large array in shared memory, read in place by tasks and an actor. */

import { startCluster } from '../runtime/index.js';

const [length = 4_000_000, tasks = 4] = process.argv.slice(2).map(Number);

await using local = await startCluster();
const { cluster } = local;
const lib = await cluster.load<typeof import('./shared-array-tasks.js')>(
  new URL('./shared-array-tasks.js', import.meta.url),
);

const array = await cluster.allocate(Float64Array, length);
for (let n = 0; n < length; n++) array[n] = n;
// It is in shared memory already: this copies nothing. From here on nobody may change it.
const numbers = cluster.put(array);

const shares = Array.from({ length: tasks }, (_, first) => lib.sumOfShare(numbers, first, tasks));
let sum = 0;
for (const share of shares) sum += await share;
console.log(`${length} numbers add up to ${sum}, in ${tasks} tasks`);

const ends = await lib.Ends.create({ resources: {} });
console.log(`from ${(await ends.of({ numbers })).join(' to ')}`);
const squares = lib.squares(numbers);
console.log(`their squares from ${(await ends.of({ numbers: squares })).join(' to ')}`);

for (const { store, bytes, where } of await cluster.storedObjects()) {
  const owner = store.startsWith('driver') ? 'this program' : store;
  console.log(`${(bytes / 2 ** 20).toFixed(1)} MiB in the ${where} of ${owner}`);
}
cluster.free([numbers, squares]);
