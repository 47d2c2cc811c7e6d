/**
 * Ray's microbenchmarks on a cluster of one node on this machine. Rates over windows of time; processor time of driver,
 * head, agent and hosts together, which other work on the machine disturbs less than rates.
 *
 *   node dist/test/bench/ray-microbenchmark.bench.js [seconds of a window=2] [windows=4] [part of a name]
 */

import { availableParallelism, cpus, loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { table } from '../../runtime/cli/index.js';
import { startCluster } from '../../runtime/index.js';
import { items, settingOf } from './ray-microbenchmark-items.js';
import {
  inDigits,
  memoryMib,
  processesOf,
  summaryOf,
  type Window,
  windowOf,
} from './ray-microbenchmark-measure.js';

const [seconds = '2', windows = '4', part = ''] = process.argv.slice(2);
const cores = availableParallelism();
const began = performance.now();
await using local = await startCluster({ workers: 1, resources: { cpu: cores } });
const upMs = performance.now() - began;
const setting = await settingOf(local.cluster);
// Let the warm host come up.
await pause(1_000);
const idle = processesOf(process.pid).filter((pid) => pid !== process.pid);

console.log(`${cpus()[0]!.model}, ${cores} cores, load ${loadavg()[0]!.toFixed(1)} before`);
console.log(`local cluster up: ${upMs.toFixed(0)} ms`);
console.log(
  `idle head and one node, a warm host among them: ${memoryMib(idle).toFixed(0)} MiB (PSS of ${idle.length} processes)`,
);

const rows: string[][] = [];
for (const [name, open] of Object.entries(items)) {
  if (!name.includes(part)) continue;
  await using item = await open(setting);
  const pids = (): readonly number[] => processesOf(process.pid);
  await windowOf(item, Number(seconds) / 2, pids);
  const measured: Window[] = [];
  for (let n = 0; n < Number(windows); n++) {
    measured.push(await windowOf(item, Number(seconds), pids));
  }
  const { mean, deviation, cpuMicroseconds } = summaryOf(measured);
  const rate = `${inDigits(mean)} ± ${inDigits(deviation)}`;
  rows.push([name, rate, inDigits(cpuMicroseconds), loadavg()[0]!.toFixed(1)]);
}
console.log(table(['', 'a second', 'CPU µs each', 'load'], rows));
