import { readFile } from 'node:fs/promises';
import test from 'ava';
import {
  floatTensor,
  int64Tensor,
  loadModel,
  parseModel,
  saveModel,
  valuesOf,
} from '../../../pcpp/onnx/model.js';
import { goldenPath } from '../../helpers/golden.js';

for (const path of [
  'tiny-sd15/unet',
  'tiny-sdxl/unet',
  'tiny-sd15/text_encoder',
  'tiny-sdxl/vae_decoder',
]) {
  test(`${path}: reading and writing gives the same bytes`, async (t) => {
    const file = goldenPath(`models/${path}/model.onnx`);
    const model = await loadModel(file);
    t.true((await readFile(file)).equals(saveModel(model)));
    t.false(model.hasExternalData);
    t.true(model.opset >= 14);
  });
}

test('small constants are read in every encoding', (t) => {
  t.deepEqual(valuesOf(int64Tensor('a', [1, -2])), [1, -2]);
  t.deepEqual(valuesOf(floatTensor('a', [0.5])), [0.5]);
  t.deepEqual(valuesOf({ data_type: 7, dims: [2], int64_data: [3, 4] }), [3, 4]);
  t.deepEqual(valuesOf({ data_type: 1, dims: [1], float_data: [2] }), [2]);
  t.is(valuesOf({ data_type: 1, dims: [1], data_location: 1 }), undefined);
});

test('a constant is read wherever it begins in the file', (t) => {
  const bytes = Buffer.concat([Buffer.of(0), Buffer.from(BigInt64Array.of(7n).buffer)]);
  t.deepEqual(valuesOf({ data_type: 7, dims: [1], raw_data: bytes.subarray(1) }), [7]);
});

test('says what it cannot read', async (t) => {
  await t.throwsAsync(loadModel(goldenPath('nowhere.onnx')), { code: 'E_MODEL_DIR' });
  t.throws(() => parseModel(Buffer.from('no model at all')), { code: 'E_GRAPH' });
  t.throws(() => parseModel(new Uint8Array(0)), { code: 'E_GRAPH', message: /no graph/ });
});
