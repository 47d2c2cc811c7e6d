/** Pictures that begin with a picture. */

import test from 'ava';
import { prepare } from '../../../pcpp/engine/generation-settings.js';
import { type GenerationRequest, generateSingle, openPipeline } from '../../../pcpp/index.js';
import { ModelDirectory } from '../../../pcpp/model/directory.js';
import { Model } from '../../../pcpp/model/model.js';
import { samplerNames } from '../../../pcpp/samplers/sampler.js';
import { startCluster } from '../../../runtime/index.js';
import { goldenPath, maxAbsDifference, scenesPath } from '../../helpers/golden.js';

const root = goldenPath('models/tiny-sd15');
const directory = ModelDirectory.open(root);

const picture = (width: number, height: number, seed = 37) => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, k) => (k * seed) % 256),
});
const request = {
  prompt: 'a cat',
  image: picture(128, 192),
  strength: 0.5,
  steps: 10,
  sampler: 'ddim',
  guidanceScale: 3,
} as const satisfies GenerationRequest;

test("strength is the share of the steps that are computed, and the size is the picture's", (t) => {
  const settings = prepare(request, directory);
  t.is(settings.evaluations, 5);
  t.is(settings.skippedSteps, 5);
  t.deepEqual([settings.width, settings.height], [128, 192]);
  t.is(prepare({ ...request, strength: 1 }, directory).evaluations, 10);
  t.is(prepare({ ...request, strength: 0.1 }, directory).evaluations, 1);
  const pndm = prepare({ ...request, sampler: 'pndm' }, directory);
  t.is(pndm.evaluations, 5);
});

const refusals: readonly [what: string, more: object, code: string, text: RegExp][] = [
  ['strength without a picture', { image: undefined }, 'E_OPTION', /there is none/],
  ['a strength that leaves no step', { strength: 0.05 }, 'E_OPTION', /at least 0\.1/],
  ['a strength above 1', { strength: 1.5 }, 'E_OPTION', /strength must be a number in 0\.\.1/],
  ['another width', { width: 64 }, 'E_OPTION', /has 128x192 pixels/],
  ['a size the model cannot make', { image: picture(100, 64) }, 'E_SIZE', /nearest/],
  [
    'pixels that are too few',
    { image: { ...picture(64, 64), width: 65 } },
    'E_OPTION',
    /RGB image/,
  ],
  ['no picture at all', { image: 'cat.png' }, 'E_OPTION', /image must be an RGB image/],
];

for (const [what, more, code, message] of refusals) {
  test(`refuses ${what}`, (t) => {
    t.throws(() => prepare({ ...request, ...more }, directory), { code, message });
  });
}

test('a model without an encoder says so before anything is computed', (t) => {
  const asked = { prompt: 'a lake', image: picture(64, 64) };
  t.throws(() => prepare(asked, ModelDirectory.open(scenesPath)), {
    code: 'E_MODEL_DIR',
    message: /vae_encoder.model\.onnx is missing: this model cannot begin with an image/,
  });
});

test('with every sampler less strength stays nearer to the picture', async (t) => {
  await using model = Model.open(root);
  const image = picture(64, 64);
  for (const sampler of samplerNames.filter((name) => name !== 'flow-match-euler')) {
    const make = async (more: Partial<GenerationRequest>) =>
      (await generateSingle(model, { ...request, image, sampler, ...more })).latents.data;
    const other = { image: picture(64, 64, 91) };
    const apart = async (strength: number): Promise<number> =>
      maxAbsDifference(await make({ strength, seed: 1 }), await make({ strength, seed: 2 }));
    t.true((await apart(0.1)) < (await apart(1)), sampler);
    const [one, again, changed] = [await make({}), await make({}), await make(other)];
    t.deepEqual(one, again);
    t.true(maxAbsDifference(one, changed) > 1e-3, sampler);
  }
});

test('many devices begin with the same picture as one', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: root });
  const make = (more: Partial<GenerationRequest>) =>
    pipeline.generate({ ...request, ...more }).result;
  const alone = await make({ mode: 'single' });
  const sync = await make({ mode: 'sync' });
  const scale = Math.max(...alone.latent.data.map(Math.abs));
  t.true(maxAbsDifference(alone.latent.data, sync.latent.data) < 1e-4 * scale);
  const pcpp = await make({ mode: 'pcpp', warmupSteps: 2 });
  t.deepEqual(
    pcpp.steps.map(({ borderBytes }) => borderBytes > 0),
    [false, false, false, true, true],
  );
  await using device = Model.open(root);
  const reference = await generateSingle(device, request);
  t.true(maxAbsDifference(alone.latent.data, reference.latents.data) < 1e-4 * scale);
});

test('a series has the seeds that follow, and each picture can be made alone', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
  const small = { prompt: 'a lake', width: 64, height: 64, steps: 2, seed: 5 };
  const series = await Promise.all(pipeline.generateSeries(small, 3).map(({ result }) => result));
  t.deepEqual(
    series.map(({ settings }) => settings.seed),
    [5, 6, 7],
  );
  const alone = await pipeline.generate({ ...small, seed: 6 }).result;
  t.deepEqual(series[1]!.png, alone.png);
  t.notDeepEqual(series[0]!.png, alone.png);
  t.throws(() => pipeline.generateSeries(small, 0), { code: 'E_OPTION', message: /from 1/ });
});

test('what should not be in it changes the picture, on many devices as on one', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
  const base = { prompt: 'a lake', width: 128, height: 128, steps: 3, guidanceScale: 4 };
  const make = async (more: Partial<GenerationRequest>) =>
    (await pipeline.generate({ ...base, ...more }).result).latent.data;
  const negativePrompt = 'night, clouds';
  const alone = await make({ mode: 'single', negativePrompt });
  t.true(maxAbsDifference(alone, await make({ mode: 'sync', negativePrompt })) < 1e-4);
  t.true(maxAbsDifference(alone, await make({ mode: 'single' })) > 0.1);
});
