import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readPatchGraph, writePatchGraph } from '../../../pcpp/rewrite/graph-cache.js';
import { Terminal } from '../../helpers/command.js';
import { goldenPath, scenesPath } from '../../helpers/golden.js';
import { modelCopy } from '../../helpers/model-copy.js';

test.serial('inspect tells sites, and what a device receives', async (t) => {
  await using terminal = new Terminal();
  const { code, stdout, stderr } = await terminal.run('model', 'inspect', scenesPath);
  t.is(code, 0, stderr);
  t.regex(stdout, /scenes: sd, 8 latent channels, sides divisible by 64/);
  t.regex(stdout, /cannot begin with a picture: vae_encoder\/ is missing/);
  t.regex(stdout, /attention hidden +1\/4 +3 /);
  t.regex(stdout, /8 latent rows are the least a device can have, so 4 devices share 32 at most/);
  t.regex(stdout, /\n8 +- +- +- +- +too many devices/);
  t.regex(stdout, /mode sync: 50 exchanges in a step/);
});

test.serial(
  'inspect counts the bytes of SDXL from its graph alone, as the figures in docs have them',
  async (t) => {
    await using terminal = new Terminal();
    const graph = goldenPath('graphs/sdxl-unet');
    const more = ['--devices', '4,8', '--borders', '0.3'];
    const { code, stdout, stderr } = await terminal.run('model', 'inspect', graph, ...more);
    t.is(code, 0, stderr);
    t.regex(stdout, /attention hidden +1\/4 +60 /);
    t.regex(stdout, /\n4 +29\.5 MB +339 MB +\d+ MB\n8 +20\.8 MB +424 MB/);
  },
);

test.serial(
  'inspect and compile take a transformer by itself, inspect a real one without weights',
  async (t) => {
    await using terminal = new Terminal();
    const model = modelCopy(goldenPath('models/tiny-sd3'), {});
    const told = await terminal.run('model', 'inspect', model);
    t.is(told.code, 0, told.stderr);
    t.regex(told.stdout, /: sd3, 4 latent channels, sides divisible by 16/);
    t.regex(
      told.stdout,
      /cannot make pictures: text_encoder\/, text_encoder_2\/, vae_decoder\/ are/,
    );
    t.regex(told.stdout, /attention hidden +1\/2 +3 /);
    t.regex(told.stdout, /mode sync: 4 exchanges in a step/);
    const made = await terminal.run('model', 'compile', model);
    const [, file] = /^(.*\/transformer\/.*\.onnx): latent width 32, batch 2,/.exec(made.stdout)!;
    t.true(existsSync(file!));
    const pixart = goldenPath('graphs/pixart-sigma-transformer');
    const more = ['--devices', '4', '--borders', '0.3'];
    const { stdout } = await terminal.run('model', 'inspect', pixart, ...more);
    // Three quarters of 28 layers, 4096 tokens, 1152 features, keys and values, in two bytes.
    t.regex(stdout, /\n4 +29\.7 MB +396 MB +793 MB/);
  },
);

test.serial(
  'inspect says which operator cannot be split, and that one device can run it',
  async (t) => {
    await using terminal = new Terminal();
    const encoder = goldenPath('models/tiny-sd15/vae_encoder');
    const { code, stdout } = await terminal.run('model', 'inspect', encoder, '--size', '512x512');
    t.is(code, 0);
    t.regex(stdout, /It runs on one device only \(--mode single\)\. .*cannot be split by rows/);
  },
);

test.serial('compile writes a graph that devices then use', async (t) => {
  await using terminal = new Terminal();
  const model = modelCopy(scenesPath, {});
  const made = await terminal.run('model', 'compile', model, '--size', '128x128');
  t.is(made.code, 0, made.stderr);
  const [, file] = /^(.*\.onnx): latent width 16, batch 2, hidden, /.exec(made.stdout)!;
  t.true(existsSync(file!));
  const small = ['--size', '128x128', '--steps', '3', '--warmup', '1', '--devices', '2'];
  const generate = () => terminal.run('generate', 'alps', ...small, '--model', model);
  const drawn = await generate();
  t.is(drawn.code, 0, drawn.stderr);
  // One that cannot be run shows that it was no other that was.
  const unet = join(model, 'unet', 'model.onnx');
  const shape = { height: 16, width: 16, batch: 2, payload: 'hidden' } as const;
  const graph = await readPatchGraph(unet, shape);
  await writePatchGraph(unet, shape, { ...graph!, sample: 'nothing' });
  const failed = await generate();
  t.is(failed.code, 1);
  t.regex(failed.stderr, /E_SHAPE: the model needs the inputs /);
});

const refusals: readonly [what: string, code: number, text: RegExp, ...args: readonly string[]][] =
  [
    ['a directory that is not there', 1, /E_MODEL_DIR: there is no model directory/, '/nope'],
    ['a size that cannot be divided', 1, /E_SIZE/, scenesPath, '--size', '130x128'],
    ['half a device', 2, /whole numbers from 1/, scenesPath, '--devices', '2.5'],
    ['a fraction beyond 1', 1, /E_OPTION: border fraction 2/, scenesPath, '--borders', '2'],
    ['what is no number', 2, /Expected numbers/, scenesPath, '--borders', '0.1,,x'],
    ['no batch', 2, /whole number from 1/, scenesPath, '--batch', '0'],
  ];

for (const [what, code, text, ...args] of refusals) {
  test.serial(`inspect refuses ${what}`, async (t) => {
    await using terminal = new Terminal();
    const outcome = await terminal.run('model', 'inspect', ...args);
    t.is(outcome.code, code, outcome.stderr);
    t.regex(outcome.stderr, text);
  });
}
