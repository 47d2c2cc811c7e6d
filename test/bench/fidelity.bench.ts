/**
 * Pictures of displaced devices against those of one device, by everything that a request can say of borders, on 2, 4 and 8
 * devices. One thing is changed at a time: fraction, age, group normalisation and steps by patches at every size, the rest at
 * the first one.
 *
 *   node dist/test/bench/fidelity.bench.js [prompts=20] [steps=20] [size=256 and 512] [axis=all] > fidelity.md
 *   python3 test/bench/fidelity-plot.py fidelity.md docs/images/fidelity.svg      (needs matplotlib)
 *
 * The model that ships, its own guidance. Two steps at the start compute the whole image and none at the end, so that differences show, but for
 * the axis `whole`, which is about those. All devices in one process, so nothing depends on timing. Seams: how
 * much more a picture changes from row to row at patches' edges than nearby, as a multiple of the same in the picture of one
 * device.
 */

import { cooldownStart } from '../../pcpp/engine/step-kind.js';
import type { RgbImage } from '../../pcpp/image/decode.js';
import { psnr, seamEnergy, ssim } from '../../pcpp/image/quality.js';
import type { GenerationRequest } from '../../pcpp/index.js';
import { Model } from '../../pcpp/model/model.js';
import { groupNormModes } from '../../pcpp/partition/plan.js';
import { wires } from '../../pcpp/partition/wire.js';
import { scenesPath } from '../helpers/golden.js';
import { ImageMaker } from '../helpers/in-process-image.js';

const [count = 20, steps = 20, only] = process.argv.slice(2, 5).map(Number);
const onlyAxis = process.argv[5];
const sizes = only ? [only] : [256, 512];

const lands = ['alps', 'rocky mountains', 'green hills', 'a volcano', 'red canyon', 'flat land'];
const grounds = ['a calm lake', 'the sea', 'a meadow', 'a flower field', 'dunes', 'a pine forest'];
const times = ['a sunny day', 'sunrise', 'sunset', 'dusk', 'night'];
const skies = ['clear sky', 'fluffy clouds', 'clear sky', 'clouds', 'stars'];
const prompts = Array.from({ length: count }, (_, index) =>
  [
    lands[index % 6],
    grounds[(index + Math.floor(index / 6)) % 6],
    times[index % 5],
    skies[index % 5],
  ].join(', '),
);

interface Variant {
  readonly axis: string;
  readonly label: string;
  readonly request: Partial<GenerationRequest>;
}

const fractions: readonly Variant[] = [
  ...[0, 0.1, 0.3, 0.5, 1].map((borderFraction) => ({
    axis: 'fraction',
    label: `p = ${borderFraction}`,
    request: { borderFraction },
  })),
  { axis: 'fraction', label: 'distrifusion', request: { mode: 'distrifusion' } },
];
const norms: readonly Variant[] = [
  { axis: 'age', label: 'age 2', request: { borderAge: 2 } },
  ...groupNormModes
    .filter((mode) => mode !== 'damped')
    .map((groupNorm) => ({
      axis: 'norm',
      label: `group norm ${groupNorm}`,
      request: { groupNorm },
    })),
  {
    axis: 'twice',
    label: 'all steps by patches, twice',
    request: { warmup: 'patch', warmupSteps: steps },
  },
];
const others: readonly Variant[] = [
  ...wires
    .filter((wire) => wire !== 'fp16')
    .map((wire) => ({ axis: 'wire', label: wire, request: { wire } })),
  { axis: 'cut', label: 'cut by rows', request: { borderCut: 'rows' } },
  {
    axis: 'rule',
    label: 'p = 1 in the first 4 displaced steps',
    request: { borderRules: [{ borderFraction: 1, steps: [0, 6] }] },
  },
  {
    axis: 'rule',
    label: 'p = 1 in the deepest layers',
    request: {
      borderRules: ['down.6', 'mida', 'up.0', 'up.1'].map((layers) => ({
        borderFraction: 1,
        layers,
      })),
    },
  },
];
const wholeSteps: readonly Variant[] = [
  [4, 0],
  [1, 0],
  [1, 1],
  [1, 2],
  [1, 3],
].map(([warmupSteps = 1, cooldownSteps = 0]) => ({
  axis: 'whole',
  label: `${warmupSteps} at the start, ${cooldownSteps} at the end`,
  request: { warmupSteps, cooldownSteps },
}));

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;

await using model = Model.open(scenesPath);
const maker = new ImageMaker(model);

console.log(
  '| pixels | devices | what | axis | kB a step | PSNR, mean | median | least | SSIM, mean | seams, median |',
);
console.log('|---|---|---|---|---|---|---|---|---|---|');
for (const size of sizes) {
  const subjects = prompts.map((prompt, index) => ({
    prompt,
    width: size,
    height: size,
    steps,
    seed: index + 7,
    warmupSteps: 2,
    cooldownSteps: 0,
  }));
  const references: RgbImage[] = [];
  for (const subject of subjects) {
    references.push(
      await maker.decode((await maker.make({ ...subject, mode: 'single' }, 1)).latent),
    );
  }
  for (const devices of [2, 4, 8]) {
    // A device has at least the eight latent rows of 64 pixels.
    if (size / 64 < devices) continue;
    const units = size / 64;
    const seams = Array.from(
      { length: devices - 1 },
      (_, index) => Math.round(((index + 1) * units) / devices) * 64,
    );
    const variants = [...fractions, ...norms, ...(size === sizes[0] ? others : []), ...wholeSteps];
    for (const { axis, label, request } of variants) {
      if (onlyAxis !== undefined && axis !== onlyAxis) continue;
      const quality = { psnr: [] as number[], ssim: [] as number[], seam: [] as number[] };
      let bytes = 0;
      for (const [index, subject] of subjects.entries()) {
        const reference = references[index]!;
        const made = await maker.make({ ...subject, ...request }, devices);
        const image = await maker.decode(made.latent);
        quality.psnr.push(psnr(image, reference));
        quality.ssim.push(ssim(image, reference));
        quality.seam.push(seamEnergy(image, seams) / seamEnergy(reference, seams));
        bytes = made.borderBytes[cooldownStart(made.settings) - 1]!;
      }
      const decibels = [mean(quality.psnr), median(quality.psnr), Math.min(...quality.psnr)];
      const cells = [
        ...[size, devices, label, axis, (bytes / 1000).toFixed(0)],
        ...decibels.map((value) => value.toFixed(1)),
        ...[mean(quality.ssim), median(quality.seam)].map((value) => value.toFixed(3)),
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}
