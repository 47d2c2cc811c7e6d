import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { describe } from '../../../pcpp/engine/generation-settings.js';
import { generateSingle } from '../../../pcpp/engine/single.js';
import { encodePng } from '../../../pcpp/image/png.js';
import { Model } from '../../../pcpp/model/model.js';
import { createSampler } from '../../../pcpp/samplers/create-sampler.js';
import { initialRows } from '../../../pcpp/samplers/noise.js';
import { tensor } from '../../../pcpp/tensor.js';
import { goldenPath, scenesPath } from '../../helpers/golden.js';
import { modelCopy } from '../../helpers/model-copy.js';

const request = {
  prompt: 'snowy mountains, a calm lake, sunset, clear sky',
  width: 128,
  height: 64,
  steps: 3,
  seed: 5,
};

test('the shipped model paints, and the same request twice gives the same bytes', async (t) => {
  await using model = Model.open(scenesPath);
  const seen: number[] = [];
  const shown: (readonly [done: number, width: number])[] = [];
  const paint = async (seed: number, previewEvery = 0) => {
    const result = await generateSingle(
      model,
      { ...request, seed, previewEvery },
      {
        onStep: ({ done, preview }) => {
          seen.push(done);
          if (preview) shown.push([done, preview.width]);
        },
      },
    );
    t.deepEqual(result.unknownWords, []);
    t.deepEqual([result.image.width, result.image.height], [128, 64]);
    return encodePng(result.image, describe(result.settings));
  };
  const first = await paint(5);
  t.deepEqual(seen, [1, 2, 3]);
  t.deepEqual(shown, []);
  t.deepEqual(await paint(5, 2), first);
  t.deepEqual(shown, [
    [2, 16],
    [3, 16],
  ]);
  t.notDeepEqual(await paint(6), first);
});

test('the latents of the seed may as well be given', async (t) => {
  await using model = Model.open(scenesPath);
  const noise = initialRows(5, { channels: 8, width: 16, fromRow: 0, toRow: 8 });
  const given = await generateSingle(model, { ...request, steps: 1 }, { latents: noise });
  const drawn = await generateSingle(model, { ...request, steps: 1 });
  t.deepEqual(given.latents, drawn.latents);
  const wrong = generateSingle(model, request, { latents: tensor([1, 4, 8, 16]) });
  await t.throwsAsync(wrong, { code: 'E_SHAPE', message: /latents must be \[1,8,8,16\]/ });
});

test('the sigmas of the shipped model are those of its readme', (t) => {
  const steps = 24;
  const shift = (x: number): number => (4 * x) / (1 + 3 * x);
  const { timesteps } = createSampler(Model.open(scenesPath).directory.scheduler, { steps });
  for (const [i, timestep] of timesteps.entries()) {
    const x = 1 + (i / (steps - 1)) * (shift(1 / 1000) - 1);
    t.true(Math.abs(timestep - 1000 * shift(x)) < 1e-9);
  }
});

test('words outside of the vocabulary are told', async (t) => {
  await using model = Model.open(scenesPath);
  const { unknownWords } = await generateSingle(model, {
    ...request,
    steps: 1,
    prompt: 'a dragon, a lake',
    negativePrompt: 'a castle',
  });
  t.deepEqual([...unknownWords].sort(), ['castle', 'dragon']);
});

test('an aborted job ends between two steps', async (t) => {
  await using model = Model.open(scenesPath);
  const abort = new AbortController();
  const reason = new Error('no longer wanted');
  let steps = 0;
  const job = generateSingle(model, request, {
    signal: abort.signal,
    onStep: () => {
      steps++;
      abort.abort(reason);
    },
  });
  const error = await t.throwsAsync(job, { code: 'E_ABORTED' });
  t.is(error.cause, reason);
  t.is(steps, 1);
});

test('a job that was aborted before it began computes nothing', async (t) => {
  await using model = Model.open(modelCopy(scenesPath, { 'text_encoder/model.onnx': null }));
  const job = generateSingle(model, request, { signal: AbortSignal.abort() });
  await t.throwsAsync(job, { code: 'E_ABORTED' });
});

test('a missing graph is named, and found once it is there', async (t) => {
  const root = modelCopy(scenesPath, { 'vae_decoder/model.onnx': null });
  await using model = Model.open(root);
  const job = generateSingle(model, { ...request, steps: 1 });
  await t.throwsAsync(job, { code: 'E_MODEL_DIR', message: /vae_decoder\/model\.onnx is missing/ });
  copyFileSync(join(scenesPath, 'vae_decoder/model.onnx'), join(root, 'vae_decoder/model.onnx'));
  await t.notThrowsAsync(generateSingle(model, { ...request, steps: 1 }));
});

test('parts of different models do not go together', async (t) => {
  const scenesUnet = { in_channels: 4, out_channels: 4, block_out_channels: [1, 1, 1, 1] };
  const root = modelCopy(goldenPath('models/tiny-sd15'), {
    'unet/config.json': { ...scenesUnet, cross_attention_dim: 768 },
  });
  await using model = Model.open(root);
  const job = generateSingle(model, { ...request, sampler: 'ddim' });
  await t.throwsAsync(job, { code: 'E_MODEL_CONFIG', message: /8 features a token.*takes 768/ });
});

test('an SDXL text encoder without hidden states is refused with the remedy', async (t) => {
  const plain = readFileSync(goldenPath('models/tiny-sd15/text_encoder/model.onnx'));
  const root = modelCopy(goldenPath('models/tiny-sdxl'), { 'text_encoder/model.onnx': plain });
  await using model = Model.open(root);
  await t.throwsAsync(generateSingle(model, request), {
    code: 'E_MODEL_CONFIG',
    message: /hidden_states.*optimum-cli/,
  });
});
