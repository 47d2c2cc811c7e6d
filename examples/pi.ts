/** `node dist/examples/pi.js [tasks] [points]`: pi from random points, each task throwing some of them. */

import { startCluster } from '../runtime/index.js';

const [tasks = 20, points = 2_000_000] = process.argv.slice(2).map(Number);

await using local = await startCluster();
const lib = await local.cluster.load<typeof import('./pi-tasks.js')>(
  new URL('./pi-tasks.js', import.meta.url),
);

const began = performance.now();
const refs = Array.from({ length: tasks }, (_, seed) => lib.hits(seed, points));
let inside = 0;
for (const ref of refs) inside += await ref;
const seconds = (performance.now() - began) / 1000;

const all = tasks * points;
const estimate = (4 * inside) / all;
const expected = Math.sqrt((Math.PI * (4 - Math.PI)) / all);
console.log(`${tasks} tasks of ${points} points in ${seconds.toFixed(2)} s`);
console.log(`pi is about ${estimate.toFixed(6)}`);
console.log(
  `off by ${Math.abs(estimate - Math.PI).toExponential(1)}; chance alone makes it ${expected.toExponential(1)}`,
);
