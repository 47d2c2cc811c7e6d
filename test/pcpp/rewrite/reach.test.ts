/** How far a graph looks: against what really changes when one row of the latent does. */

import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { PcppError } from '../../../pcpp/errors.js';
import { feed, floatOutput } from '../../../pcpp/model/feed.js';
import {
  floatTensor,
  int64Tensor,
  loadModel,
  type OnnxModel,
  saveModel,
} from '../../../pcpp/onnx/model.js';
import { Session } from '../../../pcpp/onnx/session.js';
import { type Reach, reachOf } from '../../../pcpp/rewrite/reach.js';
import { traceRows } from '../../../pcpp/rewrite/trace.js';
import { type Tensor, tensor } from '../../../pcpp/tensor.js';
import { scenesPath } from '../../helpers/golden.js';
import { node, noise, type SmallGraph, smallModel, weight } from '../../helpers/small-graph.js';

const width = 4;
const traced = async (model: OnnxModel): Promise<Reach> =>
  reachOf(await traceRows(model, { height: 24, width, batch: 1 }));

const conv = (input: string, output: string, kernel: number, more: Record<string, number[]> = {}) =>
  node('Conv', [input, `w${kernel}`], [output], {
    kernel_shape: [kernel, kernel],
    pads: Array<number>(4).fill((kernel - 1) / 2),
    ...more,
  });
const twice = (input: string, output: string) =>
  node('Resize', [input, '', 'twice'], [output], {
    mode: 'nearest',
    nearest_mode: 'floor',
    coordinate_transformation_mode: 'asymmetric',
  });
const initializers = [
  weight('w3', [4, 4, 3, 3]),
  weight('w5', [4, 4, 5, 5], 8),
  weight('w2', [4, 4, 2, 2], 9),
  floatTensor('twice', [1, 1, 2, 2]),
];

/** Which rows of the latent change the pixels of row `row`, by trying them all. */
async function influences(model: OnnxModel, height: number, row: number): Promise<number[]> {
  await using session = await Session.open(saveModel(model));
  const [port] = session.inputs;
  const channels = Number(port!.dims[1]);
  const run = async (sample: Tensor): Promise<Tensor> =>
    floatOutput(await session.run({ [port!.name]: feed(port!, sample) }), session.outputs[0]!.name);
  const sample = noise([1, channels, height, width], 5);
  const before = await run(sample);
  const size = before.data.length / before.dims[1]! / height;
  const found: number[] = [];
  for (let other = 0; other < height; other++) {
    const data = sample.data.map((value, index) =>
      Math.floor(index / width) % height === other ? value + 3 : value,
    );
    const after = await run(tensor(sample.dims, data));
    const changed = after.data.some(
      (value, index) => Math.floor(index / size) % height === row && value !== before.data[index],
    );
    if (changed) found.push(other);
  }
  return found;
}

async function checkReach(t: ExecutionContext, model: OnnxModel, expected: Reach): Promise<void> {
  t.deepEqual(await traced(model), expected);
  const [row, height] = [expected.above + 1, expected.above + expected.below + 3];
  const rows = await influences(model, height, row);
  t.is(rows[0], row - expected.above);
  t.is(rows.at(-1), row + expected.below);
}

const graphs: readonly (SmallGraph & { readonly name: string; readonly reach: Reach })[] = [
  {
    name: 'nothing but pixels of their own',
    nodes: [node('Sigmoid', ['sample'], ['out_sample'])],
    reach: { above: 0, below: 0, scale: 1 },
  },
  {
    name: 'kernels one after another',
    nodes: [conv('sample', 'a', 3), conv('a', 'out_sample', 5)],
    reach: { above: 3, below: 3, scale: 1 },
  },
  {
    name: 'a dilated kernel, padded on one side',
    nodes: [conv('sample', 'out_sample', 3, { dilations: [2, 1], pads: [0, 1, 4, 1] })],
    reach: { above: 0, below: 4, scale: 1 },
  },
  {
    name: 'the longer of two branches',
    nodes: [
      conv('sample', 'a', 3),
      conv('a', 'b', 3),
      conv('sample', 'c', 3),
      node('Add', ['b', 'c'], ['out_sample']),
    ],
    reach: { above: 2, below: 2, scale: 1 },
  },
  {
    name: 'kernels on enlarged rows count for less',
    nodes: [twice('sample', 'a'), conv('a', 'b', 3), twice('b', 'c'), conv('c', 'out_sample', 3)],
    reach: { above: 1, below: 1, scale: 4 },
  },
  {
    name: 'transposed convolutions and channels that become rows',
    nodes: [
      conv('sample', 'a', 5),
      node('ConvTranspose', ['a', 'w2'], ['b'], { strides: [2, 2] }),
      node('DepthToSpace', ['b'], ['out_sample'], { blocksize: 2 }),
    ],
    reach: { above: 2, below: 2, scale: 4 },
  },
];

for (const { name, reach, ...graph } of graphs) {
  test(name, (t) => checkReach(t, smallModel({ initializers, ...graph }), reach));
}

test('the decoder of scenes looks nine latent rows far', async (t) => {
  const model = await loadModel(join(scenesPath, 'vae_decoder', 'model.onnx'));
  await checkReach(t, model, { above: 9, below: 9, scale: 8 });
});

test('what looks at the whole image, or makes less of it, is refused by name', async (t) => {
  const scale = [weight('ones', [4], 4), weight('zeros', [4], 5)];
  const refused: readonly (SmallGraph & { readonly message: RegExp })[] = [
    {
      nodes: [node('InstanceNormalization', ['sample', 'ones', 'zeros'], ['out_sample'])],
      initializers: scale,
      message: /InstanceNormalization "out_sample-node".*moments of the whole image; one device/,
    },
    {
      nodes: [
        node('Reshape', ['sample', 'tokens'], ['k']),
        node('Transpose', ['k'], ['q'], { perm: [0, 2, 1] }),
        node('MatMul', ['q', 'k'], ['s']),
        node('Softmax', ['s'], ['p']),
        node('MatMul', ['p', 'q'], ['m']),
        node('Transpose', ['m'], ['out_sample'], { perm: [0, 2, 1] }),
      ],
      initializers: [int64Tensor('tokens', [0, 0, -1])],
      message: /MatMul "s-node".*attends to the whole image/,
    },
    {
      nodes: [conv('sample', 'a', 3, { strides: [2, 2] }), twice('a', 'out_sample')],
      message: /Conv "a-node".*fewer rows than it reads/,
    },
  ];
  for (const { message, ...graph } of refused) {
    const error = await t.throwsAsync(traced(smallModel({ initializers, ...graph })), {
      instanceOf: PcppError,
      message,
    });
    t.is(error.code, 'E_GRAPH');
  }
});
