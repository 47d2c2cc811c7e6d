/** `npm run demo`: one image by two worker processes together, and the same seed on one, side by side. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inBytes, ProgressBar } from '../pcpp/cli/progress-bar.js';
import {
  type GenerationMode,
  type GenerationResult,
  openPipeline,
  psnr,
  ssim,
} from '../pcpp/index.js';
import { table } from '../runtime/cli/index.js';
import { startCluster } from '../runtime/index.js';

const model = fileURLToPath(new URL('../../examples/models/scenes', import.meta.url));
const folder = fileURLToPath(new URL('../../out', import.meta.url));
const request = {
  prompt: 'snowy mountains, a calm lake, sunset, clear sky',
  width: 256,
  height: 256,
  seed: 7,
};

console.log(
  'Starting a cluster on this machine: a head and two worker nodes of one processor each',
);
await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
await using pipeline = await openPipeline(local.cluster, { model });

// Loading the model and the first touch of its memory belong to neither side of the comparison.
for (const mode of ['pcpp', 'single'] as const)
  await pipeline.generate({ ...request, mode, steps: 5 }).result;

const together = await make('pcpp', 'two devices', 'demo.png');
const alone = await make('single', 'one device', 'demo-single.png');

console.log(`\n"${request.prompt}", seed ${request.seed}`);
console.log(table(['', 'two devices', 'one device'], rows(together, alone)));
console.log('\nWrote out/demo.png and out/demo-single.png');
console.log(
  'The larger the image, the more there is to share: npx patchbay generate "alps" --size 1024x1024',
);

async function make(mode: GenerationMode, label: string, file: string): Promise<GenerationResult> {
  const job = pipeline.generate({ ...request, mode });
  using bar = new ProgressBar(label.padEnd(11));
  for await (const progress of job) bar.show(progress);
  const result = await job.result;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${file}`, result.png);
  return result;
}

function rows(two: GenerationResult, one: GenerationResult): (readonly string[])[] {
  const displaced = two.steps.filter(({ borderAge = 0 }) => borderAge > 0);
  const bytes = displaced.reduce((sum, step) => sum + step.borderBytes, 0) / displaced.length;
  const distrifusion = two.forecast?.distrifusion.total ?? 0;
  const seconds = ({ denoiseMs }: GenerationResult): string => (denoiseMs / 1000).toFixed(2);
  return [
    ['devices', String(two.bounds.length - 1), String(one.bounds.length - 1)],
    ['mode', two.settings.mode, one.settings.mode],
    ['border fraction', String(two.settings.borderFraction), '-'],
    [
      'steps (whole-image ones)',
      `${two.settings.steps} (${two.settings.warmupSteps + two.settings.cooldownSteps})`,
      String(one.settings.steps),
    ],
    ['seconds for all steps', seconds(two), seconds(one)],
    ['speed', `${(one.denoiseMs / two.denoiseMs).toFixed(2)}x`, '1.00x'],
    ['border bytes per step', inBytes(bytes), '-'],
    [
      'in DistriFusion mode',
      `${inBytes(distrifusion)} (${((100 * bytes) / distrifusion).toFixed(0)} % of it sent)`,
      '-',
    ],
    ['PSNR to one device', `${psnr(two.image, one.image).toFixed(1)} dB`, '-'],
    ['SSIM to one device', ssim(two.image, one.image).toFixed(4), '-'],
  ];
}
