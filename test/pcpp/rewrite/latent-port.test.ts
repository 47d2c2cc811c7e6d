/** Which input is the latent, and as what it comes. */

import test from 'ava';
import { elementTypes, encodeModel } from '../../../pcpp/onnx/messages.js';
import { type Axes, type OnnxModel, parseModel, portOf } from '../../../pcpp/onnx/model.js';
import { inputTags, latentDims, latentPortOf } from '../../../pcpp/rewrite/latent-port.js';
import { node } from '../../helpers/small-graph.js';

type Dims = Axes['dims'];

function modelWith(inputs: Readonly<Record<string, Dims>>, output: Dims): OnnxModel {
  const elementType = elementTypes.float32;
  const [first] = Object.keys(inputs);
  const bytes = encodeModel({
    ir_version: 10,
    opset_import: [{ domain: '', version: 17 }],
    graph: {
      name: 'ports',
      node: [node('Identity', [first!], ['out'])],
      input: Object.entries(inputs).map(([name, dims]) => portOf({ name, elementType, dims })),
      output: [portOf({ name: 'out', elementType, dims: output })],
    },
  });
  return parseModel(bytes);
}

const grid = { batch: 2, height: 12, width: 8 };

test('an image has rows on its third axis', (t) => {
  const image = ['batch', 4, 'height', 'width'];
  const port = latentPortOf(
    modelWith({ text: ['batch', 'length', 8], hidden_states: image }, image),
  );
  t.like(port, { channels: 4, packing: 1, beside: [] });
  t.is(port.axes.name, 'hidden_states');
  t.deepEqual(latentDims(port, grid), [2, 4, 12, 8]);
  const tag = { kind: 'rows', axis: 2, inner: 1, rows: 12, raw: true } as const;
  t.deepEqual([...inputTags(port, grid)], [['hidden_states', tag]]);
});

test('tokens are two rows and columns each; positions have rows too', (t) => {
  const tokens = ['batch', 'tokens', 16];
  const inputs = {
    text: ['batch', 'length', 16],
    hidden_states: tokens,
    where: ['tokens', 3],
    text_where: ['length', 3],
  };
  const port = latentPortOf(modelWith(inputs, tokens));
  t.like(port, { channels: 4, packing: 2, beside: [{ name: 'where', axis: 0 }] });
  t.is(port.axes.name, 'hidden_states');
  t.deepEqual(latentDims(port, grid), [2, 24, 16]);
  const tag = { kind: 'rows', inner: 4, rows: 6 } as const;
  t.deepEqual(
    [...inputTags(port, grid)],
    [
      ['hidden_states', { ...tag, axis: 1 }],
      ['where', { ...tag, axis: 0 }],
    ],
  );
});

test('tokens of a fixed number, or without positions, are no latent', (t) => {
  const fixed = ['batch', 64, 16];
  const open = ['batch', 'tokens', 16];
  for (const model of [
    modelWith({ hidden_states: fixed, where: [64, 3] }, fixed),
    modelWith({ hidden_states: open }, open),
  ]) {
    t.throws(() => latentPortOf(model), {
      code: 'E_GRAPH',
      message: /no input \[N, C, H, W\] among hidden_states.*open L is that of the output/,
    });
  }
});
