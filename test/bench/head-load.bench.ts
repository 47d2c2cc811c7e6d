/**
 * How a head bears many nodes, actors, groups and tasks. The head is a process of its own; 64 nodes that only claim to start
 * actors live in another, so what is timed is the head and the links to it.
 *
 *   node --max-old-space-size=8192 dist/test/bench/head-load.bench.js [tasks=10000] [actors=1000] [groups=1000] [queued=1000000]
 */

import { cpus, loadavg } from 'node:os';
import { startCluster } from '../../runtime/index.js';
import { ServedChild } from '../../runtime/process.js';
import { cpuSeconds, cpuSince, memoryMib } from './ray-microbenchmark-measure.js';

const [tasks = 10_000, actors = 1_000, groups = 1_000, queued = 1_000_000] = process.argv
  .slice(2)
  .map(Number);
const nodes = 64;

await using local = await startCluster({ workers: 0 });
const { cluster, address, token } = local;
const [head] = local.pids;
const fleet = new URL('./head-load-nodes.js', import.meta.url);
await using _ = await ServedChild.start(fleet, { url: address, token, nodes });
const module = new URL('../fixtures/actors/tasks.js', import.meta.url);
const lib = await cluster.load<typeof import('../fixtures/actors/tasks.js')>(module);

console.log(`${cpus()[0]?.model}, ${cpus().length} cores; load ${loadavg()[0]!.toFixed(1)}`);
console.log(`head with ${nodes} nodes: ${memoryMib([head!]).toFixed(0)} MiB`);

/** Time, processor time of the head, and its memory afterwards. */
async function measure(what: string, count: number, run: () => Promise<unknown>): Promise<void> {
  const before = cpuSeconds([head!]);
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1_000;
  const cpu = (cpuSince(before, [head!]) / count) * 1e6;
  const mib = memoryMib([head!]).toFixed(0);
  const rate = Math.round(count / seconds).toLocaleString('en');
  console.log(
    `${what}: ${seconds.toFixed(2)} s, ${rate} a second, ${cpu.toFixed(1)} µs of the head each; head ${mib} MiB`,
  );
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

await measure(`${tasks} tasks`, tasks, () => Promise.all(range(tasks).map((n) => lib.square(n))));
let living: readonly { kill(): Promise<void> }[] = [];
await measure(`${actors} actors created`, actors, async () => {
  living = await Promise.all(range(actors).map(() => lib.Tally.create({ resources: {} })));
});
await measure(`${actors} actors killed`, actors, () =>
  Promise.all(living.map((actor) => actor.kill())),
);
const bundles = [{ cpu: 0.01 }, { cpu: 0.01 }];
await measure(`${groups} placement groups made, held together and removed`, groups, async () => {
  const made = await Promise.all(
    range(groups).map(() => cluster.group(bundles, { strategy: 'spread' })),
  );
  await Promise.all(made.map((group) => group.remove()));
});
await measure(`${queued} tasks queued at once`, queued, () =>
  Promise.all(range(queued).map((n) => lib.square(n))),
);
