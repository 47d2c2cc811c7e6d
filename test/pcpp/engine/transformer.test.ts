/** Stable Diffusion 3 and Flux from prompt to picture: how prompts are laid out, and every mode on real devices. */

import test from 'ava';
import { describe, prepare } from '../../../pcpp/engine/generation-settings.js';
import { openPipeline } from '../../../pcpp/index.js';
import { ModelDirectory } from '../../../pcpp/model/directory.js';
import { Model } from '../../../pcpp/model/model.js';
import { tensor } from '../../../pcpp/tensor.js';
import { encodePrompt, wholePicture } from '../../../pcpp/text/encode-prompt.js';
import { startCluster } from '../../../runtime/index.js';
import { goldenPath, maxAbsDifference } from '../../helpers/golden.js';
import { ImageMaker } from '../../helpers/in-process-image.js';
import { fluxCopy, sd3Copy } from '../../helpers/transformer-copies.js';

const prompt = 'a boat on a lake';

test('texts of both CLIPs lie side by side, padded with zeros, and T5 or zeros behind them', async (t) => {
  const framing = wholePicture(128, 128);
  await using sdxl = Model.open(goldenPath('models/tiny-sdxl'));
  const clip = (await encodePrompt(sdxl, { prompt, guided: false, framing })).conditioning;
  for (const t5 of [false, true]) {
    await using model = Model.open(sd3Copy({ t5 }));
    const { conditioning } = await encodePrompt(model, { prompt, guided: true, framing });
    const { hidden, pooled, timeIds } = conditioning;
    t.deepEqual(hidden.dims, [2, 2 * 77, 24]);
    t.deepEqual(pooled!.dims, [2, 8 + 12]);
    t.is(timeIds, undefined);
    // The prompt is the second entry; a negative prompt that is left out is an empty one, not zeros.
    const own = hidden.data.subarray(2 * 77 * 24);
    t.true(hidden.data.subarray(0, 77 * 24).some((value) => value !== 0));
    for (let token = 0; token < 77; token++) {
      const features = own.subarray(token * 24, (token + 1) * 24);
      t.deepEqual(features.slice(0, 20), clip.hidden.data.slice(token * 20, (token + 1) * 20));
      t.true(features.slice(20).every((value) => value === 0));
    }
    t.is(
      own.subarray(77 * 24).some((value) => value !== 0),
      t5,
    );
    t.deepEqual(pooled!.data.slice(20 + 8), clip.pooled!.data);
  }
});

test('Flux reads T5 and the pooled text of CLIP; its guidance scale is an input, and no batch of two', async (t) => {
  await using model = Model.open(fluxCopy());
  const framing = wholePicture(128, 128);
  const { conditioning } = await encodePrompt(model, {
    prompt,
    guided: false,
    framing,
    guidance: 2,
  });
  t.deepEqual(conditioning.hidden.dims, [1, 77, 24]);
  t.deepEqual(conditioning.pooled!.dims, [1, 20]);
  t.deepEqual(conditioning.textPositions, tensor([77, 3]));
  t.deepEqual(conditioning.guidance, tensor([1], Float32Array.of(2)));
  t.is(conditioning.timestepScale, 1 / 1000);

  const settings = prepare({ prompt, width: 128, height: 128 }, model.directory);
  t.like(settings, { guidanceScale: 1, guidanceInput: 3.5 });
  // A picture's settings are a request that makes it again.
  const { prompt: _, ...request } = JSON.parse(describe(settings)['Settings']!);
  t.is(request.guidanceScale, 3.5);
  t.deepEqual(prepare({ ...request, prompt }, model.directory).guidanceInput, 3.5);
  t.throws(() => prepare({ prompt, cfgParallel: true }, model.directory), {
    code: 'E_OPTION',
    message: /reads its guidance scale as an input/,
  });
});

test('a directory without text encoders and decoder makes no pictures, and says what it lacks', (t) => {
  const model = ModelDirectory.open(goldenPath('models/tiny-sd3'));
  t.throws(() => prepare({ prompt }, model), {
    code: 'E_MODEL_DIR',
    message:
      /lacks text_encoder\/model\.onnx, text_encoder_2\/model\.onnx, vae_decoder\/model\.onnx/,
  });
});

test('a picture larger than the positions that the transformer knows is refused', (t) => {
  const model = ModelDirectory.open(sd3Copy());
  t.is(model.sizeLimit, 24 * 2 * 8);
  t.throws(() => prepare({ prompt, width: 512, height: 256 }, model), {
    code: 'E_SIZE',
    message: /up to 384 pixels a side, got 512x256/,
  });
});

test('Flux makes a picture by patches', async (t) => {
  await using model = Model.open(fluxCopy());
  const maker = new ImageMaker(model);
  const request = { prompt, width: 64, height: 96, steps: 6, seed: 5, warmupSteps: 2 } as const;
  const single = await maker.make({ ...request, mode: 'single' }, 1);
  const most = largest(single.latent.data);
  for (const mode of ['distrifusion', 'pcpp'] as const) {
    const made = await maker.make({ ...request, mode }, 2);
    const distance = maxAbsDifference(made.latent.data, single.latent.data);
    t.true(distance > 0 && distance < most, `${mode}: ${distance} of ${most}`);
    // One step before the last is on the whole image, and a transformer needs no edge rows of the latent after that.
    t.deepEqual(
      made.borderBytes.map((bytes) => bytes > 0),
      [false, false, false, true, true, false],
    );
  }
});

test.serial('every mode makes the picture, and sync that of one device', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: sd3Copy() });
  const request = { prompt, width: 64, height: 96, steps: 4, seed: 5, warmupSteps: 1 } as const;
  const make = async (mode: 'single' | 'sync' | 'distrifusion' | 'pcpp') =>
    await pipeline.generate({ ...request, mode }).result;
  const single = await make('single');
  const sync = await make('sync');
  const most = largest(single.latent.data);
  t.true(maxAbsDifference(sync.latent.data, single.latent.data) < 1e-4 * most);
  for (const mode of ['distrifusion', 'pcpp'] as const) {
    const made = await make(mode);
    t.deepEqual(made.bounds, [0, 6, 12]);
    const distance = maxAbsDifference(made.latent.data, single.latent.data);
    t.true(distance > 0 && distance < most, `${mode}: ${distance} of ${most}`);
    const { total } = made.forecast!;
    t.deepEqual(
      made.steps.map(({ borderBytes }) => borderBytes),
      [0, 0, total, total],
    );
  }
});

const largest = (values: Float32Array): number =>
  values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
