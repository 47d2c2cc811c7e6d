/** Pi as a job: a function that runs in the cluster and starts tasks of its own there. */

import { context } from '../runtime/index.js';

export { hits } from './pi-tasks.js';

export async function estimatePi(tasks: number, points: number): Promise<number> {
  const { cluster } = context();
  const lib = context().module<typeof import('./job-pi.js')>();
  const refs = Array.from({ length: tasks }, (_, seed) => lib.hits(seed, points));
  const inside = await cluster.get(refs);
  console.log(`${tasks} tasks have thrown ${tasks * points} darts`);
  return (4 * inside.reduce((sum, count) => sum + count, 0)) / (tasks * points);
}
