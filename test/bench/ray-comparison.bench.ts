/**
 * The benchmarks of ray-microbenchmark.bench.ts with Ray and with Patchbay in turn, window by window, so that other work on
 * the machine hits both alike. Both have one node with all processors of this machine.
 *
 *   python3 -m venv ray-env && ray-env/bin/pip install ray numpy
 *   RAY_PYTHON=ray-env/bin/python node dist/test/bench/ray-comparison.bench.js [seconds=1] [windows=4] [part of a name]
 */

import { availableParallelism, cpus, loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { table } from '../../runtime/cli/index.js';
import { startCluster } from '../../runtime/index.js';
import { Ray } from './ray-comparison-ray.js';
import { items, settingOf } from './ray-microbenchmark-items.js';
import {
  inDigits,
  memoryMib,
  processesOf,
  type Summary,
  summaryOf,
  type Window,
  windowOf,
} from './ray-microbenchmark-measure.js';

const python = process.env['RAY_PYTHON'];
if (!python) {
  console.error(
    'Set RAY_PYTHON to the Python of an environment that has ray and numpy:\n' +
      '  python3 -m venv ray-env && ray-env/bin/pip install ray numpy\n' +
      '  RAY_PYTHON=ray-env/bin/python node dist/test/bench/ray-comparison.bench.js',
  );
  process.exit(2);
}

const [seconds = '1', windows = '4', part = ''] = process.argv.slice(2);
const cores = availableParallelism();
console.log(`${cpus()[0]!.model}, ${cores} cores, load ${loadavg()[0]!.toFixed(1)} before`);
await using ray = await Ray.start(python, cores);
const began = performance.now();
await using local = await startCluster({ workers: 1, resources: { cpu: cores } });
const upMs = performance.now() - began;
const setting = await settingOf(local.cluster);
const ours = (): readonly number[] => processesOf(process.pid, [ray.pid]);

// Both start some processes ahead of need.
await pause(3_000);
const memory = {
  ray: memoryMib(processesOf(ray.pid).filter((pid) => pid !== ray.pid)),
  patchbay: memoryMib(ours().filter((pid) => pid !== process.pid)),
};
console.log(
  `Ray ${ray.version}, Node ${process.version}; ${windows} windows of ${seconds} s each, in turn`,
);

const rows: string[][] = [
  [
    'local cluster up, ms',
    ray.upMs.toFixed(0),
    upMs.toFixed(0),
    times(ray.upMs / upMs),
    '',
    '',
    '',
  ],
  [
    'idle head and one node, MiB (PSS)',
    memory.ray.toFixed(0),
    memory.patchbay.toFixed(0),
    times(memory.ray / memory.patchbay),
    '',
    '',
    '',
  ],
];
for (const [name, open] of Object.entries(items)) {
  if (!name.includes(part)) continue;
  const [theirs, mine] = await inTurn(name, open);
  rows.push([
    `${name}, a second`,
    `${inDigits(theirs.mean)} ± ${inDigits(theirs.deviation)}`,
    `${inDigits(mine.mean)} ± ${inDigits(mine.deviation)}`,
    times(mine.mean / theirs.mean),
    inDigits(theirs.cpuMicroseconds),
    inDigits(mine.cpuMicroseconds),
    times(theirs.cpuMicroseconds / mine.cpuMicroseconds),
  ]);
}
console.log(
  table(['', 'Ray', 'Patchbay', 'ratio', 'Ray CPU µs', 'Patchbay CPU µs', 'ratio'], rows),
);
console.log(`load ${loadavg()[0]!.toFixed(1)} after`);

async function inTurn(
  name: string,
  open: (typeof items)[string],
): Promise<readonly [ray: Summary, patchbay: Summary]> {
  const measured: { readonly ray: Window[]; readonly patchbay: Window[] } = {
    ray: [],
    patchbay: [],
  };
  await ray.open(name);
  await using item = await open(setting);
  await ray.window(Number(seconds) / 2);
  await windowOf(item, Number(seconds) / 2, ours);
  for (let n = 0; n < Number(windows); n++) {
    measured.ray.push(await ray.window(Number(seconds)));
    measured.patchbay.push(await windowOf(item, Number(seconds), ours));
  }
  await ray.closeItem();
  return [summaryOf(measured.ray), summaryOf(measured.patchbay)];
}

function times(ratio: number): string {
  return `${inDigits(ratio)} ×`;
}
