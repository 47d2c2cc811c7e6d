/** What rounding on the wire does to a picture of the model that ships, and what payload and cut do. */

import test from 'ava';
import { psnr } from '../../../pcpp/image/quality.js';
import { Model } from '../../../pcpp/model/model.js';
import { borderCuts, type GroupNormMode, groupNormModes } from '../../../pcpp/partition/plan.js';
import { type Wire, wires } from '../../../pcpp/partition/wire.js';
import { attentionPayloads } from '../../../pcpp/rewrite/sites.js';
import { scenesPath } from '../../helpers/golden.js';
import { ImageMaker } from '../../helpers/in-process-image.js';
import { steadyRequest } from '../../helpers/small-images.js';

const model = Model.open(scenesPath);
const maker = new ImageMaker(model);
test.after.always(() => model[Symbol.asyncDispose]());

// Nothing is mended at the end.
const request = { ...steadyRequest, cooldownSteps: 0 } as const;

/** Least PSNR against float32 borders, in dB. Displacement itself costs far more. */
const least: Readonly<Record<Wire, number>> = {
  fp32: Number.POSITIVE_INFINITY,
  fp16: 60,
  int8: 45,
  'residual-int8': 50,
  'residual-int4': 28,
};

test('rounding on the wire is not to be seen, and fewer bits cost fewer bytes', async (t) => {
  const exact = await maker.make({ ...request, wire: 'fp32' }, 2);
  const reference = await maker.decode(exact.latent);
  const bytes: number[] = [];
  for (const wire of wires) {
    const made = await maker.make({ ...request, wire }, 2);
    const quality = psnr(await maker.decode(made.latent), reference);
    t.log(`${wire}: ${quality.toFixed(1)} dB`);
    t.true(quality >= least[wire], `${wire}: ${quality}`);
    bytes.push(made.borderBytes.at(-1)!);
  }
  const [fp32, fp16, int8, residual8, residual4] = bytes as [
    number,
    number,
    number,
    number,
    number,
  ];
  t.true(fp32 > 1.8 * fp16 && fp16 > 1.4 * int8 && int8 < residual8 && residual8 > residual4);
});

test('payload and cut change the bytes, not the picture much', async (t) => {
  const made = new Map<string, number>();
  const reference = await maker.decode(
    (await maker.make({ ...request, mode: 'single' }, 1)).latent,
  );
  for (const borderPayload of attentionPayloads) {
    for (const borderCut of borderCuts) {
      const image = await maker.make({ ...request, borderPayload, borderCut }, 2);
      const quality = psnr(await maker.decode(image.latent), reference);
      t.true(quality > 20, `${borderPayload} by ${borderCut}: ${quality}`);
      made.set(`${borderPayload} ${borderCut}`, image.borderBytes.at(-1)!);
    }
  }
  t.true(made.get('hidden rows')! < made.get('kv rows')!);
  t.true(made.get('hidden tokens')! < made.get('hidden rows')!);
});

test('steps that are computed twice by patches are near to those of the whole image', async (t) => {
  const short = { ...request, wire: 'fp32', steps: 6 } as const;
  const alone = await maker.make({ ...short, mode: 'single' }, 1);
  const reference = await maker.decode(alone.latent);
  const once = await maker.make({ ...short, warmupSteps: 1 }, 3);
  const twice = await maker.make({ ...short, warmupSteps: 6, warmup: 'patch' }, 3);
  const [near, far] = [
    psnr(await maker.decode(twice.latent), reference),
    psnr(await maker.decode(once.latent), reference),
  ];
  t.log(`twice ${near.toFixed(1)} dB, once ${far.toFixed(1)} dB`);
  t.true(near > far + 5);
  const bytes = once.borderBytes.at(-1)!;
  t.deepEqual(twice.borderBytes, [0, bytes, ...Array(4).fill(2 * bytes)]);
});

test('without guidance, as distilled models want it, a device computes and receives half', async (t) => {
  const wire = 'fp32';
  const guided = await maker.make({ ...request, wire, steps: 4 }, 2);
  for (const guidanceScale of [0, 1]) {
    const plain = await maker.make({ ...request, wire, steps: 4, guidanceScale }, 2);
    const [of, all] = [plain, guided].map(({ borderBytes }) => borderBytes.at(-1)!);
    // The latent's edge rows are the same in both.
    const latentRows = 2 * 4 * 8 * 32;
    t.is(2 * (of! - latentRows), all! - latentRows);
    t.true(plain.latent.data.every(Number.isFinite));
  }
});

test('each group norm mode is another picture, and local statistics cost no bytes', async (t) => {
  const short = { ...request, wire: 'fp32', steps: 6 } as const;
  const made = await Promise.all(
    groupNormModes.map((groupNorm) => maker.make({ ...short, groupNorm }, 4)),
  );
  const [damped, corrected, stale, local] = made.map(({ borderBytes }) => borderBytes.at(-1)!);
  t.deepEqual([corrected, stale], [damped, damped]);
  // Between patches that are no neighbours nothing is left to say.
  t.true(local! < corrected!);
  t.is(new Set(made.map(({ latent }) => latent.data[0])).size, groupNormModes.length);
});

test('four devices: damped statistics keep a picture that corrected ones tip over', async (t) => {
  const four = { ...request, prompt: 'alps, a calm lake, a sunny day', steps: 20 } as const;
  const alone = await maker.make({ ...four, mode: 'single' }, 1);
  const reference = await maker.decode(alone.latent);
  const quality = async (groupNorm: GroupNormMode): Promise<number> =>
    psnr(await maker.decode((await maker.make({ ...four, groupNorm }, 4)).latent), reference);
  const [damped, corrected] = [await quality('damped'), await quality('corrected')];
  t.log(`damped ${damped.toFixed(1)} dB, corrected ${corrected.toFixed(1)} dB`);
  t.true(damped > 27 && damped > corrected + 3);
});
