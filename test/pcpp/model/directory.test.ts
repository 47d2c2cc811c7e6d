import test from 'ava';
import type { PcppErrorCode } from '../../../pcpp/errors.js';
import { ModelDirectory } from '../../../pcpp/model/directory.js';
import { goldenPath, scenesPath } from '../../helpers/golden.js';
import { modelCopy } from '../../helpers/model-copy.js';

const sd15 = goldenPath('models/tiny-sd15');

test('a Stable Diffusion directory', (t) => {
  const model = ModelDirectory.open(sd15);
  t.is(model.kind, 'sd');
  t.deepEqual(model.index, { kind: 'sd', zerosForNoPrompt: false });
  t.deepEqual(model.denoiser, {
    latentChannels: 4,
    latentMultiple: 8,
    latentLimit: null,
    guidance: 'batch',
    textFeatures: 8,
    sampleSize: [64, 64],
  });
  t.deepEqual(model.vae, { scaleFactor: 8, scalingFactor: 0.18215, shiftFactor: 0 });
  t.deepEqual(model.defaults, { steps: 20, guidanceScale: 7.5, width: 512, height: 512 });
  t.is(model.sizeMultiple, 64);
  t.is(model.textLength('text_encoder'), 77);
  t.is(model.scheduler['_class_name'], 'PNDMScheduler');
});

test('an SDXL directory', (t) => {
  const model = ModelDirectory.open(goldenPath('models/tiny-sdxl'));
  t.deepEqual(model.index, { kind: 'sdxl', zerosForNoPrompt: true });
  t.is(model.sizeMultiple, 32);
  t.is(model.defaults.guidanceScale, 5);
});

test('a Stable Diffusion 3 directory, of which only the transformer is there', (t) => {
  const model = ModelDirectory.open(goldenPath('models/tiny-sd3'));
  t.deepEqual(model.index, { kind: 'sd3', zerosForNoPrompt: false });
  t.deepEqual(model.denoiser, {
    latentChannels: 4,
    latentMultiple: 2,
    latentLimit: 48,
    guidance: 'batch',
    textFeatures: 24,
    sampleSize: [32, 32],
  });
  t.true(model.graph(model.denoiserPart).endsWith('transformer/model.onnx'));
  t.deepEqual(model.defaults, { steps: 20, guidanceScale: 7, width: 256, height: 256 });
  t.is(model.sizeMultiple, 16);
  t.is(model.textLength('text_encoder_3'), 256);
  t.deepEqual(model.missingParts, ['text_encoder', 'text_encoder_2', 'vae_decoder']);
});

test('a Flux directory: tokens of two rows and columns, guided by an input', (t) => {
  const model = ModelDirectory.open(goldenPath('models/tiny-flux'));
  t.deepEqual(model.denoiser, {
    latentChannels: 4,
    latentMultiple: 2,
    latentLimit: null,
    guidance: 'input',
    textFeatures: 24,
    sampleSize: [128, 128],
  });
  t.deepEqual(model.defaults, { steps: 20, guidanceScale: 3.5, width: 1024, height: 1024 });
  t.is(model.textLength('text_encoder_2'), 512);
  const config = { in_channels: 64, patch_size: 1, joint_attention_dim: 8, guidance_embeds: false };
  const changed = modelCopy(goldenPath('models/tiny-flux'), { 'transformer/config.json': config });
  t.is(ModelDirectory.open(changed).denoiser.guidance, 'none');
});

test('the shipped model brings its own defaults', (t) => {
  const model = ModelDirectory.open(scenesPath);
  t.deepEqual(model.defaults, { steps: 24, guidanceScale: 2, width: 256, height: 256 });
  t.deepEqual(model.vae, { scaleFactor: 8, scalingFactor: 1, shiftFactor: 0 });
  t.is(model.denoiser.latentChannels, 8);
  t.is(model.textLength('text_encoder'), 24);
});

test('a device that only denoises needs the UNet and the scheduler alone', (t) => {
  const parts = ['text_encoder', 'tokenizer', 'vae_decoder', 'vae_encoder'];
  const model = ModelDirectory.open(
    modelCopy(sd15, Object.fromEntries(parts.map((part) => [part, null]))),
  );
  t.true(model.graph('unet').endsWith('unet/model.onnx'));
  t.is(model.denoiser.latentChannels, 4);
  t.is(model.scheduler['steps_offset'], 1);
  t.throws(() => model.vae, { code: 'E_MODEL_DIR' });
});

test('a scheduler file with a bare infinity is read', (t) => {
  const config = '{"_class_name": "DPM", "lambda_min_clipped": -Infinity, "note": "-Infinity NaN"}';
  const model = ModelDirectory.open(modelCopy(sd15, { 'scheduler/scheduler_config.json': config }));
  t.is(model.scheduler['lambda_min_clipped'], '-Infinity');
  t.is(model.scheduler['note'], '-Infinity NaN');
});

test('pipelines that optimum has prefixed are the same', (t) => {
  const root = modelCopy(sd15, {
    'model_index.json': { _class_name: 'ORTStableDiffusionPipeline' },
  });
  t.is(ModelDirectory.open(root).kind, 'sd');
});

const unet = { in_channels: 4, out_channels: 4, block_out_channels: [1], cross_attention_dim: 8 };
const vae = { _class_name: 'AutoencoderKL', block_out_channels: [1, 1] };

const broken: readonly (readonly [
  what: string,
  changes: Readonly<Record<string, unknown>>,
  read: (model: ModelDirectory) => unknown,
  code: PcppErrorCode,
  message: RegExp,
])[] = [
  [
    'no index',
    { 'model_index.json': null },
    () => 0,
    'E_MODEL_DIR',
    /model_index\.json.*optimum-cli/,
  ],
  [
    'a broken index',
    { 'model_index.json': '{' },
    () => 0,
    'E_MODEL_DIR',
    /model_index\.json is not JSON/,
  ],
  ['an index without class', { 'model_index.json': {} }, () => 0, 'E_MODEL_CONFIG', /_class_name/],
  [
    'another pipeline',
    { 'model_index.json': { _class_name: 'PixArtSigmaPipeline' } },
    () => 0,
    'E_MODEL_CONFIG',
    /PixArtSigmaPipeline.*supported are StableDiffusionPipeline/,
  ],
  [
    'no UNet',
    { 'unet/model.onnx': null },
    (model) => model.graph('unet'),
    'E_MODEL_DIR',
    /unet\/model\.onnx is missing.*docs\/models\.md/,
  ],
  [
    'no UNet configuration',
    { 'unet/config.json': null },
    (model) => model.denoiser,
    'E_MODEL_DIR',
    /unet\/config\.json/,
  ],
  [
    'an inpainting UNet',
    { 'unet/config.json': { ...unet, in_channels: 9 } },
    (model) => model.denoiser,
    'E_MODEL_CONFIG',
    /in_channels 9.*inpainting/,
  ],
  [
    'a UNet without channels',
    { 'unet/config.json': { ...unet, in_channels: undefined } },
    (model) => model.denoiser,
    'E_MODEL_CONFIG',
    /in_channels/,
  ],
  [
    'another autoencoder',
    { 'vae_decoder/config.json': { ...vae, _class_name: 'AutoencoderTiny' } },
    (model) => model.vae,
    'E_MODEL_CONFIG',
    /_class_name/,
  ],
  [
    'normalised latents',
    { 'vae_decoder/config.json': { ...vae, latents_mean: [0] } },
    (model) => model.vae,
    'E_MODEL_CONFIG',
    /latents_mean/,
  ],
  [
    'a scheduler without class',
    { 'scheduler/scheduler_config.json': {} },
    (model) => model.scheduler,
    'E_MODEL_CONFIG',
    /_class_name/,
  ],
  [
    'no scheduler',
    { 'scheduler/scheduler_config.json': null },
    (model) => model.scheduler,
    'E_MODEL_DIR',
    /scheduler_config\.json/,
  ],
  [
    'a misspelt default',
    { 'patchbay.json': { stepz: 4 } },
    (model) => model.defaults,
    'E_MODEL_CONFIG',
    /patchbay\.json.*stepz/,
  ],
  [
    'a text encoder of unknown length',
    { 'text_encoder/config.json': {} },
    (model) => model.textLength('text_encoder'),
    'E_MODEL_CONFIG',
    /max_position_embeddings/,
  ],
];

for (const [what, changes, read, code, message] of broken) {
  test(`${what} is refused`, (t) => {
    const root = modelCopy(sd15, changes);
    t.throws(() => read(ModelDirectory.open(root)), { code, message });
  });
}

test('a path that leads nowhere is refused', (t) => {
  t.throws(() => ModelDirectory.open('/no/such/model'), {
    code: 'E_MODEL_DIR',
    message: /no model directory \/no\/such\/model/,
  });
});
