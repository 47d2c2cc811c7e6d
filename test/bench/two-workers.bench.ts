/**
 * Two workers of one core each against one worker of one core: the same image, wall time of all its steps, warm-up
 * included. The two alternate in one run on the same devices, so that other work on the machine hits both alike.
 *
 *   node dist/test/bench/two-workers.bench.js [pixels=512] [steps=20] [rounds=7]
 */

import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type GenerationResult, openPipeline, psnr } from '../../pcpp/index.js';
import { table } from '../../runtime/cli/index.js';
import { startCluster } from '../../runtime/index.js';

const [pixels = 512, steps = 20, rounds = 7] = process.argv.slice(2).map(Number);
const model = fileURLToPath(new URL('../../../examples/models/scenes', import.meta.url));
const request = {
  prompt: 'snowy mountains, a calm lake, sunset, clear sky',
  width: pixels,
  height: pixels,
  steps,
  seed: 7,
};

await using local = await startCluster({ workers: 2, resources: { cpu: 1 }, prewarm: 0 });
await using pipeline = await openPipeline(local.cluster, { model });

const variants = [
  { label: 'pcpp', mode: 'pcpp' },
  { label: 'pcpp, nothing mended', mode: 'pcpp', cooldownSteps: 0 },
  { label: 'distrifusion', mode: 'distrifusion' },
  { label: 'sync', mode: 'sync' },
  { label: 'guidance on both', mode: 'single', cfgParallel: true },
] as const;
type Variant = (typeof variants)[number];

const run = ({ label: _, ...more }: Omit<Variant, 'label'> & { label?: string }) =>
  pipeline.generate({ ...request, ...more }).result;
const alone = (): Promise<GenerationResult> =>
  pipeline.generate({ ...request, mode: 'single' }).result;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const medianStep = ({ settings, steps }: GenerationResult): number => {
  const { warmupSteps, cooldownSteps, evaluations } = settings;
  const from = warmupSteps === evaluations ? 1 : warmupSteps + 1;
  return median(steps.slice(from, evaluations - cooldownSteps).map(({ stepMs }) => stepMs));
};

for (const variant of variants) await run(variant);
const one = await alone();

const load = loadavg()[0]!.toFixed(1);
console.log(`${cpus()[0]!.model}, ${availableParallelism()} cores, load ${load} before the run`);
console.log(`${pixels} x ${pixels}, ${steps} steps, ${rounds} alternating rounds, medians`);
const rows: string[][] = [];
for (const variant of variants) {
  const ratios: number[] = [];
  const together: GenerationResult[] = [];
  const single: GenerationResult[] = [];
  for (let round = 0; round < rounds; round++) {
    single.push(await alone());
    together.push(await run(variant));
    ratios.push(single.at(-1)!.denoiseMs / together.at(-1)!.denoiseMs);
  }
  const last = together.at(-1)!;
  rows.push([
    variant.label,
    `${(median(single.map(({ denoiseMs }) => denoiseMs)) / 1000).toFixed(2)} s`,
    `${(median(together.map(({ denoiseMs }) => denoiseMs)) / 1000).toFixed(2)} s`,
    `${median(ratios).toFixed(2)}x (${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)})`,
    `${medianStep(single.at(-1)!).toFixed(1)} / ${medianStep(last).toFixed(1)} ms`,
    `${psnr(last.image, one.image).toFixed(1)} dB`,
  ]);
}
console.log(table(['', 'one', 'two', 'speed (range)', 'step, one / two', 'PSNR'], rows));
