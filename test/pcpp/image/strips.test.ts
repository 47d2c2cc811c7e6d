import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { decodingOf } from '../../../pcpp/engine/decode-image.js';
import { decodeLatents, type RgbImage, stackRows, toRgb } from '../../../pcpp/image/decode.js';
import { splitDecoder } from '../../../pcpp/image/decoder-reach.js';
import { Model } from '../../../pcpp/model/model.js';
import { encodeModel } from '../../../pcpp/onnx/messages.js';
import { axesOf, portOf } from '../../../pcpp/onnx/model.js';
import { stripsOf } from '../../../pcpp/partition/strips.js';
import { takeRows } from '../../../pcpp/tensor.js';
import { goldenPath, maxAbsDifference, scenesPath } from '../../helpers/golden.js';
import { node, noise, smallModel } from '../../helpers/small-graph.js';
import { tempFolder } from '../../helpers/temp-folder.js';

const reach = { above: 2, below: 1, scale: 8 };

test('a strip reads what its pixels depend on, and nothing outside the image', (t) => {
  t.deepEqual(stripsOf(reach, [0, 4, 9, 10]), [
    { reads: [0, 5], keeps: [0, 32] },
    { reads: [2, 10], keeps: [16, 56] },
    { reads: [7, 10], keeps: [16, 24] },
  ]);
});

test('strips keep every pixel row once', (t) => {
  for (const bounds of [
    [0, 3],
    [0, 1, 2, 3],
    [0, 8, 24, 32],
    [0, 1, 40],
  ]) {
    const kept = stripsOf(reach, bounds).map(({ keeps: [from, to] }) => to - from);
    t.deepEqual(
      kept,
      bounds.slice(1).map((end, index) => 8 * (end - bounds[index]!)),
    );
  }
});

test('rows are stacked from top to bottom, and must be equally wide', (t) => {
  const rows = (width: number, height: number, value: number): RgbImage => ({
    width,
    height,
    data: new Uint8Array(3 * width * height).fill(value),
  });
  const { width, height, data } = stackRows([rows(2, 1, 7), rows(2, 2, 9)]);
  t.deepEqual(
    { width, height, data: [...data] },
    {
      width: 2,
      height: 3,
      data: [...Array(6).fill(7), ...Array(12).fill(9)],
    },
  );
  t.throws(() => stackRows([rows(2, 1, 7), rows(3, 1, 7)]), { code: 'E_SHAPE' });
});

test('the strips of scenes together are the image of one device', async (t) => {
  await using model = Model.open(scenesPath);
  const decoder = await model.session('vae_decoder');
  const { vae } = model.directory;
  for (const [height, width] of [
    [24, 16],
    [40, 8],
  ] as const) {
    const latent = noise([1, 8, height, width], 3);
    const whole = await decodeLatents(decoder, latent, vae);
    const { reach: found } = await splitDecoder(model.directory.graph('vae_decoder'), {
      height,
      width,
    });
    if (found.kind !== 'rows') return t.fail(found.kind);
    for (const bounds of [
      [0, height],
      [0, 8, height],
      [0, 8, 16, height],
      [0, 1, 2, 5, height],
    ]) {
      const strips = stripsOf(found, bounds);
      const images: RgbImage[] = [];
      for (const { reads, keeps } of strips) {
        const pixels = await decodeLatents(decoder, takeRows(latent, ...reads), vae);
        const own = takeRows(pixels, ...keeps);
        const start = 8 * bounds[images.length]!;
        const same = takeRows(whole, start, start + own.dims[2]!);
        t.true(maxAbsDifference(own.data, same.data) < 1e-5, `[${bounds}]`);
        images.push(...toRgb(own));
      }
      const [expected] = toRgb(whole);
      t.true(maxAbsDifference(stackRows(images).data, expected!.data) <= 1, `[${bounds}]`);
    }
  }
});

test('decoders that look at the whole image are run in stages', async (t) => {
  for (const name of ['tiny-sd15', 'tiny-sdxl']) {
    const file = goldenPath(`models/${name}/vae_decoder/model.onnx`);
    const { reach, staged } = await splitDecoder(file, { height: 16, width: 16 });
    t.is(reach.kind, 'stages');
    t.true(staged!.stages.length > 2);
  }
});

test('one that was exported for one height is left to one device', async (t) => {
  const model = smallModel({ nodes: [node('Sigmoid', ['sample'], ['out_sample'])] });
  const file = join(tempFolder('decoder'), 'model.onnx');
  const [port] = model.graph.input!;
  const input = [portOf({ ...axesOf(port!), dims: ['batch', 4, 16, 'width'] })];
  await writeFile(file, encodeModel({ ...model.proto, graph: { ...model.graph, input } }));
  for (const height of [16, 24]) {
    const { reach: found } = await splitDecoder(file, { height, width: 16 });
    t.is(found.kind, 'whole');
  }
});

test('a file that is not there is an error, not a decoder for one device', async (t) => {
  await t.throwsAsync(splitDecoder('/nowhere/model.onnx', { height: 16, width: 16 }), {
    code: 'E_MODEL_DIR',
  });
});

test('a decoder that cannot be split is left to one device, by name', async (t) => {
  const model = smallModel({ nodes: [node('GlobalAveragePool', ['sample'], ['out_sample'])] });
  const file = join(tempFolder('decoder'), 'model.onnx');
  await writeFile(file, encodeModel(model.proto));
  const { reach: found } = await splitDecoder(file, { height: 16, width: 16 });
  if (found.kind !== 'whole') return t.fail(found.kind);
  t.regex(found.why, /GlobalAveragePool "out_sample-node".*averages over image rows/);
});

test('devices decode together only if all can, and alike', (t) => {
  const rows = { kind: 'rows', ...reach } as const;
  const stages = { kind: 'stages', hash: 'a' } as const;
  const whole = { kind: 'whole', why: 'because' } as const;
  const bounds = [0, 4, 8];
  t.deepEqual(decodingOf([rows, rows], bounds), { by: 'strips', strips: stripsOf(reach, bounds) });
  t.deepEqual(decodingOf([stages, stages], bounds), { by: 'stages' });
  for (const given of [
    [rows, whole],
    [stages, whole],
  ]) {
    t.deepEqual(decodingOf(given, bounds), { by: 'one', why: 'because' });
  }
  for (const given of [
    [rows, { ...rows, below: 2 }],
    [stages, { ...stages, hash: 'b' }],
    [stages, rows],
  ]) {
    t.deepEqual(decodingOf(given, bounds), {
      by: 'one',
      why: 'the devices have different decoders',
    });
  }
});
