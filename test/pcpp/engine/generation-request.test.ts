import test from 'ava';
import { type GenerationRequest, parseRequest } from '../../../pcpp/engine/generation-request.js';
import { describe, prepare } from '../../../pcpp/engine/generation-settings.js';
import { ModelDirectory } from '../../../pcpp/model/directory.js';
import { goldenPath, scenesPath } from '../../helpers/golden.js';
import { modelCopy } from '../../helpers/model-copy.js';

const scenes = ModelDirectory.open(scenesPath);
const prompt = 'a lake';

test('what is left out comes from the model, then from the defaults', (t) => {
  t.deepEqual(prepare({ prompt }, scenes), {
    prompt,
    width: 256,
    height: 256,
    latent: { channels: 8, height: 32, width: 32 },
    steps: 24,
    skippedSteps: 0,
    evaluations: 24,
    seed: 0,
    guidanceScale: 2,
    sampler: 'flow-match-euler',
    mode: 'pcpp',
    borderFraction: 0.3,
    borderCut: 'tokens',
    borderPayload: 'hidden',
    groupNorm: 'damped',
    borderAge: 1,
    wire: 'fp16',
    warmupSteps: 1,
    cooldownSteps: 2,
    warmup: 'whole',
    cfgParallel: false,
    cfgInterleaved: false,
    rowShares: 'equal',
    devices: 'all',
  });
});

test('previews are told to devices, not to those who want to make the picture again', (t) => {
  t.is(prepare({ prompt, previewEvery: 0 }, scenes).previewEvery, undefined);
  const settings = prepare({ prompt, previewEvery: 3 }, scenes);
  t.is(settings.previewEvery, 3);
  t.deepEqual(describe(settings), describe(prepare({ prompt }, scenes)));
  t.throws(() => parseRequest({ prompt, previewEvery: 1.5 }), {
    code: 'E_OPTION',
    message: /previewEvery must be an integer in 0\.\.1000, got 1\.5/,
  });
});

test('warm-up steps by patches are for borders that are displaced by one step', (t) => {
  const made = (more: Partial<GenerationRequest>) =>
    prepare({ prompt, warmup: 'patch', steps: 10, ...more }, scenes);
  t.is(made({}).warmup, 'patch');
  t.is(made({ mode: 'sync' }).warmup, 'whole');
  t.like(made({ warmupSteps: 10 }), { warmup: 'patch', warmupSteps: 8, cooldownSteps: 1 });
  t.like(made({ cooldownSteps: 9 }), { warmup: 'whole', warmupSteps: 10, cooldownSteps: 0 });
  for (const [more, message] of [
    [{ borderAge: 2 }, /leave borderAge out/],
    [{ cfgParallel: true }, /not for cfgParallel/],
    [{ cfgInterleaved: true }, /not for cfgParallel and cfgInterleaved/],
    [{ borderDeadlineMs: 5 }, /leave borderDeadlineMs out/],
  ] as const) {
    t.throws(() => made(more), { code: 'E_OPTION', message });
  }
});

test('a zero that is given is kept', (t) => {
  const settings = prepare({ prompt, guidanceScale: 0, borderFraction: 0, seed: 0 }, scenes);
  t.is(settings.guidanceScale, 0);
  t.is(settings.borderFraction, 0);
});

test('hidden states travel in pcpp mode, keys and values in distrifusion mode, or what is asked', (t) => {
  const payload = (request: Partial<GenerationRequest>) =>
    prepare({ prompt, ...request }, scenes).borderPayload;
  t.is(payload({}), 'hidden');
  t.is(payload({ mode: 'distrifusion' }), 'kv');
  t.is(payload({ borderPayload: 'kv' }), 'kv');
  t.is(payload({ mode: 'distrifusion', borderPayload: 'hidden' }), 'hidden');
});

test('an undefined option counts as left out', (t) => {
  const request = { prompt, seed: undefined, negativePrompt: undefined };
  t.deepEqual(parseRequest(request), { prompt });
});

const wholeSteps: readonly (readonly [
  request: Partial<GenerationRequest>,
  warmupSteps: number,
  cooldownSteps: number,
])[] = [
  [{ warmupSteps: 2 }, 2, 2],
  [{ cooldownSteps: 5 }, 1, 5],
  [{ warmupSteps: 30 }, 24, 0],
  [{ warmupSteps: 20, cooldownSteps: 4 }, 24, 0],
  [{ steps: 3 }, 1, 0],
  [{ steps: 8 }, 1, 1],
  [{ steps: 50 }, 3, 2],
  [{ mode: 'distrifusion' }, 1, 2],
  [{ mode: 'single', warmupSteps: 1 }, 24, 0],
  [{ mode: 'sync', warmupSteps: 1, cooldownSteps: 3 }, 24, 0],
];

for (const [request, warmupSteps, cooldownSteps] of wholeSteps) {
  test(`${JSON.stringify(request)} makes ${warmupSteps} steps whole, and ${cooldownSteps} at the end`, (t) => {
    t.like(prepare({ prompt, ...request }, scenes), { warmupSteps, cooldownSteps });
  });
}

const refusals: readonly (readonly [request: unknown, text: RegExp])[] = [
  [null, /object with a prompt, got null/],
  ['a lake', /object with a prompt, got "a lake"/],
  [{}, /prompt is missing/],
  [{ prompt: 3 }, /prompt must be a text, got 3/],
  [{ prompt, stepz: 3 }, /no option stepz; options: prompt, /],
  [{ prompt, constructor: 3 }, /no option constructor/],
  [{ prompt, steps: 0 }, /steps must be an integer in 1\.\.1000, got 0/],
  [{ prompt, steps: 2.5 }, /got 2\.5/],
  [{ prompt, steps: '20' }, /got "20"/],
  [{ prompt, seed: -1 }, /seed must be an integer in 0\.\.9007199254740991/],
  [{ prompt, guidanceScale: Number.NaN }, /guidanceScale must be a number in 0\.\.100, got NaN/],
  [{ prompt, sampler: 'lms' }, /sampler must be one of ddim, pndm, euler, .* got "lms"/],
  [{ prompt, mode: 'fast' }, /mode must be one of single, sync, distrifusion, pcpp/],
  [{ prompt, borderCut: 'halves' }, /borderCut must be one of rows, tokens, got "halves"/],
  [{ prompt, borderAge: 3 }, /borderAge must be an integer in 1\.\.2, got 3/],
  [{ prompt, wire: 'fp8' }, /wire must be one of fp32, fp16, int8, residual-int8, residual-int4/],
  [{ prompt, borderPayload: 'qkv' }, /borderPayload must be one of kv, hidden/],
  [{ prompt, borderFraction: 1.1 }, /borderFraction must be a number in 0\.\.1/],
  [{ prompt, warmupSteps: 0 }, /warmupSteps must be an integer in 1\.\.1000/],
  [{ prompt, cfgParallel: 1 }, /cfgParallel must be true or false, got 1/],
  [{ prompt, rowShares: 'fair' }, /rowShares must be 'equal', 'measured' or a list of weights/],
  [{ prompt, rowShares: [1, 0] }, /a list of weights above 0, got \[1,0\]/],
  [{ prompt, rowShares: [] }, /rowShares must be/],
  [{ prompt, devices: 0 }, /devices must be an integer in 1\.\.1024/],
  [{ prompt, width: -64 }, /width must be an integer in 1\.\.16384/],
];

for (const [request, message] of refusals) {
  test(`the request ${JSON.stringify(request)} is refused: ${message.source}`, (t) => {
    t.throws(() => parseRequest(request), { code: 'E_OPTION', message });
  });
}

for (const [name, data] of [
  ['an array of bytes', new Uint8Array(300_000)],
  ['a Buffer', Buffer.alloc(300_000)],
] as const) {
  test(`a picture of the wrong size, ${name}, is refused without being printed`, (t) => {
    const image = { width: 8, height: 8, data };
    const error = t.throws(() => parseRequest({ prompt, image }), { code: 'E_OPTION' });
    t.regex(error.message, /got \{"width":8,"height":8,"data":"300000 bytes"\}$/);
  });
}

for (const [width, height] of [
  [-2, -2],
  [0.5, 8],
]) {
  test(`a picture of ${width} x ${height} is none`, (t) => {
    const image = { width, height, data: new Uint8Array(3 * width! * height!) };
    t.throws(() => parseRequest({ prompt, image }), { code: 'E_OPTION', message: /RGB image/ });
  });
}

test('a wrong value that JSON cannot hold is named by its kind', (t) => {
  const circle: Record<string, unknown> = {};
  circle['itself'] = circle;
  for (const [steps, shown] of [
    [circle, /got \[object Object\]$/],
    [[3n], /got \[object Array\]$/],
    [3n, /got 3$/],
  ] as const) {
    t.throws(() => parseRequest({ prompt, steps }), { code: 'E_OPTION', message: shown });
  }
});

test('of a long wrong value an error shows the beginning', (t) => {
  const sampler = 'x'.repeat(1_000_000);
  const error = t.throws(() => parseRequest({ prompt, sampler }), { code: 'E_OPTION' });
  t.true(error.message.length < 300);
});

test('borders that may be late must stand by themselves, and need a deadline', (t) => {
  const lateness = (more: Partial<GenerationRequest>) =>
    prepare({ prompt, borderDeadlineMs: 50, ...more }, scenes).lateness;
  t.deepEqual(lateness({}), { deadlineMs: 50, maxSteps: 1 });
  t.deepEqual(lateness({ lateSteps: 3, wire: 'int8' }), { deadlineMs: 50, maxSteps: 3 });
  t.is(lateness({ mode: 'sync' }), undefined, 'nothing is stale there');
  for (const [more, message] of [
    [{ wire: 'residual-int8' }, /those of wire residual-int8 build on each other/],
    [{ cfgParallel: true }, /groups wait for each other/],
  ] as const) {
    t.throws(() => lateness(more), { code: 'E_OPTION', message });
  }
  t.throws(() => prepare({ prompt, lateSteps: 2 }, scenes), {
    code: 'E_OPTION',
    message: /give borderDeadlineMs too/,
  });
});

test('a size that the model cannot make names the nearest that it can', (t) => {
  t.throws(() => prepare({ prompt, width: 300, height: 256 }, scenes), {
    code: 'E_SIZE',
    message: /divisible by 64, got 300x256; nearest: 256x256, 320x256/,
  });
  t.throws(() => prepare({ prompt, width: 8, height: 8 }, scenes), {
    code: 'E_SIZE',
    message: /nearest: 64x64$/,
  });
});

test('a sampler that does not fit the model is refused before anything is computed', (t) => {
  t.throws(() => prepare({ prompt, sampler: 'ddim' }, scenes), { code: 'E_OPTION' });
  const sd15 = ModelDirectory.open(goldenPath('models/tiny-sd15'));
  t.is(prepare({ prompt }, sd15).sampler, 'pndm');
  t.is(prepare({ prompt, steps: 10 }, sd15).evaluations, 11);
  t.throws(() => prepare({ prompt, sampler: 'flow-match-euler' }, sd15), { code: 'E_OPTION' });
  t.throws(() => prepare({ prompt, sampler: 'ddim', steps: 1000 }, sd15), { code: 'E_OPTION' });
  t.is(prepare({ prompt, sampler: 'ddim' }, sd15).sampler, 'ddim');
});

test('a model without a size needs one in the request', (t) => {
  const unet = { in_channels: 8, out_channels: 8, block_out_channels: [1, 1, 1, 1] };
  const sizeless = ModelDirectory.open(
    modelCopy(scenesPath, {
      'unet/config.json': { ...unet, cross_attention_dim: 128 },
      'patchbay.json': null,
    }),
  );
  t.throws(() => prepare({ prompt }, sizeless), { code: 'E_OPTION', message: /width and height/ });
  t.is(prepare({ prompt, width: 128, height: 64 }, sizeless).latent.width, 16);
});

test('the description tells how to make the picture again', (t) => {
  const settings = prepare({ prompt, negativePrompt: 'snow', seed: 7 }, scenes);
  const text = describe(settings);
  t.is(text['Prompt'], prompt);
  t.is(text['Negative prompt'], 'snow');
  t.is(JSON.parse(text['Settings']!).seed, 7);
  // However the rows were shared out, these are the ones.
  t.deepEqual(JSON.parse(text['Settings']!).rowShares, [32]);
  t.deepEqual(JSON.parse(describe(settings, [0, 24, 32])['Settings']!).rowShares, [24, 8]);
  for (const more of [
    { borderDeadlineMs: 50, lateSteps: 2, wire: 'int8' },
    { cfgParallel: true, borderFraction: 0.5 },
    { mode: 'single', steps: 7 },
  ] as const) {
    const made = prepare({ prompt, ...more }, scenes);
    const bounds = made.mode === 'single' ? [0, 32] : [0, 24, 32];
    const again = JSON.parse(describe(made, bounds)['Settings']!);
    const { rowShares, devices, ...rest } = prepare({ prompt, ...again }, scenes);
    t.deepEqual(rowShares, bounds.length === 2 ? [32] : [24, 8]);
    t.is(devices, (bounds.length - 1) * (made.cfgParallel ? 2 : 1));
    const { rowShares: _, devices: __, ...expected } = made;
    t.deepEqual(rest, expected);
  }
});
