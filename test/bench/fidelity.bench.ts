/**
 * Pictures of displaced devices against those of one device: border fraction, precision on the wire and age of borders.
 *
 *   node dist/test/bench/fidelity.bench.js [devices=2] [steps=20] [pictures=2] [age=1 and 2]
 *
 * The model that ships at 512 x 512 pixels, default warm-up. All devices in one process, so nothing depends on timing. The
 * last column is the seams' energy with `fp16`: how much more a picture changes from row to row at patches' edges than nearby,
 * as a multiple of the same in the picture of one device.
 */

import type { RgbImage } from '../../pcpp/image/decode.js';
import { psnr, seamEnergy, ssim } from '../../pcpp/image/quality.js';
import type { GenerationRequest } from '../../pcpp/index.js';
import { Model } from '../../pcpp/model/model.js';
import type { BorderAge } from '../../pcpp/partition/plan.js';
import { wires } from '../../pcpp/partition/wire.js';
import { scenesPath } from '../helpers/golden.js';
import { ImageMaker } from '../helpers/in-process-image.js';

const [devices = 2, steps = 20, pictures = 2, age] = process.argv.slice(2).map(Number);
const prompts = [
  'snowy mountains, a calm lake, sunset, clear sky',
  'green hills, a meadow, noon, clear sky',
  'red canyon, a desert, golden hour, clear sky',
];
const subjects = prompts.slice(0, pictures).map((prompt, seed) => ({
  prompt,
  width: 512,
  height: 512,
  steps,
  seed: seed + 7,
}));

await using model = Model.open(scenesPath);
const maker = new ImageMaker(model);
const references: RgbImage[] = [];
for (const subject of subjects) {
  references.push(await maker.decode((await maker.make({ ...subject, mode: 'single' }, 1)).latent));
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Pixel rows at which patches begin: latent rows are shared out in units of eight, as this model has them. */
const seams = Array.from(
  { length: devices - 1 },
  (_, index) => Math.round(((index + 1) * 8) / devices) * 64,
);

/** PSNR in dB and SSIM against one device, mean of all pictures, and bytes of a step. */
async function measure(more: Partial<GenerationRequest>) {
  const qualities: { readonly psnr: number; readonly ssim: number; readonly seam: number }[] = [];
  let bytes = 0;
  for (const [index, subject] of subjects.entries()) {
    const made = await maker.make({ ...subject, ...more }, devices);
    const image = await maker.decode(made.latent);
    const reference = references[index]!;
    qualities.push({
      psnr: psnr(image, reference),
      ssim: ssim(image, reference),
      seam: seamEnergy(image, seams) / seamEnergy(reference, seams),
    });
    bytes = made.borderBytes.at(-1)!;
  }
  const decibel = mean(qualities.map((quality) => quality.psnr));
  const similarity = mean(qualities.map((quality) => quality.ssim));
  const seam = mean(qualities.map((quality) => quality.seam));
  return { cell: `${decibel.toFixed(1)} / ${similarity.toFixed(3)}`, seam, bytes };
}

console.log(`${devices} devices, 512 x 512, ${steps} steps, PSNR dB / SSIM against one device`);
console.log(`\n| | kB a step | ${wires.join(' | ')} | seams |`);
console.log(`|---|---|${wires.map(() => '---').join('|')}|---|`);

async function printRow(label: string, more: Partial<GenerationRequest>): Promise<void> {
  const cells: string[] = [];
  const bytes: string[] = [];
  let seam = 1;
  for (const wire of wires) {
    const measured = await measure({ ...more, wire });
    cells.push(measured.cell);
    bytes.push((measured.bytes / 1000).toFixed(0));
    if (wire === 'fp16') seam = measured.seam;
  }
  console.log(`| ${label} | ${bytes.join(', ')} | ${cells.join(' | ')} | ${seam.toFixed(3)} |`);
}

const ages: readonly BorderAge[] = age === 1 || age === 2 ? [age] : [1, 2];
for (const borderAge of ages) {
  for (const borderFraction of [0.1, 0.3, 0.5, 1]) {
    await printRow(`p = ${borderFraction}, age ${borderAge}`, { borderFraction, borderAge });
  }
}
if (age !== 2) {
  await printRow('p = 0.3 by rows, age 1', { borderFraction: 0.3, borderCut: 'rows' });
  await printRow('distrifusion, age 1', { mode: 'distrifusion' });
}
