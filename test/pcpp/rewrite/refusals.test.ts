/** What cannot be split is refused by node, operator, reason and remedy. */

import test from 'ava';
import { PcppError } from '../../../pcpp/errors.js';
import { int64Tensor } from '../../../pcpp/onnx/model.js';
import { compileModel } from '../../../pcpp/rewrite/compile.js';
import { node, type SmallGraph, smallModel, weight } from '../../helpers/small-graph.js';

interface Refusal extends SmallGraph {
  readonly name: string;
  /** Node and operator. */
  readonly subject: string;
  readonly reason: RegExp;
  readonly remedy: RegExp;
}

const refused = 'the-node';
const twice = {
  ...weight('twice', [4]),
  raw_data: new Uint8Array(Float32Array.of(1, 1, 2, 2).buffer),
};

const refusals: readonly Refusal[] = [
  {
    name: 'fused attention',
    subject: 'Attention "b-node"',
    reason: /packed QKV weights/,
    remedy: /unfused export/,
    nodes: [
      node('Reshape', ['sample', 'tokens'], ['a']),
      node('com.microsoft:Attention', ['a', 'w', 'w'], ['b'], { num_heads: 1 }),
      node('Reshape', ['b', 'tokens'], ['out_sample']),
    ],
    initializers: [int64Tensor('tokens', [0, 0, -1]), weight('w', [4])],
  },
  {
    name: 'an operator without a rule',
    subject: `Hardmax "${refused}"`,
    reason: /no rule for the operator Hardmax/,
    remedy: /one device/,
    nodes: [{ ...node('Hardmax', ['sample'], ['out_sample'], { axis: 1 }), name: refused }],
  },
  {
    name: 'bilinear upsampling',
    subject: `Resize "${refused}"`,
    reason: /interpolates \(linear\)/,
    remedy: /nearest upsampling/,
    nodes: [
      {
        ...node('Resize', ['sample', '', 'twice'], ['out_sample'], { mode: 'linear' }),
        name: refused,
      },
    ],
    initializers: [twice],
  },
  {
    name: 'a transposed convolution whose rows overlap',
    subject: `ConvTranspose "${refused}"`,
    reason: /kernel of 4 rows at stride 2 makes rows of several rows/,
    remedy: /nearest upsampling/,
    nodes: [
      {
        ...node('ConvTranspose', ['sample', 'w4'], ['out_sample'], {
          strides: [2, 2],
          pads: [1, 1, 1, 1],
        }),
        name: refused,
      },
    ],
    initializers: [weight('w4', [4, 4, 4, 4])],
  },
  {
    name: 'padded rows',
    subject: `Pad "${refused}"`,
    reason: /pads image rows/,
    remedy: /padding inside the convolution/,
    nodes: [{ ...node('Pad', ['sample', 'pads'], ['out_sample']), name: refused }],
    initializers: [int64Tensor('pads', [0, 0, 0, 0, 0, 0, 1, 1])],
  },
  {
    name: 'rows joined to rows',
    subject: `Concat "${refused}"`,
    reason: /joins tensors along image rows/,
    remedy: /joint attention/,
    nodes: [
      { ...node('Concat', ['sample', 'sample'], ['out_sample'], { axis: 2 }), name: refused },
    ],
  },
  {
    name: 'a mean over the image',
    subject: `ReduceMean "${refused}"`,
    reason: /reduces over image rows/,
    remedy: /group normalisation/,
    nodes: [
      { ...node('ReduceMean', ['sample'], ['mean'], { axes: [2, 3] }), name: refused },
      node('Sub', ['sample', 'mean'], ['out_sample']),
    ],
  },
  {
    name: 'a quantised operator',
    subject: `DynamicQuantizeLinear "${refused}"`,
    reason: /quantised/,
    remedy: /float32 or float16 export/,
    nodes: [
      { ...node('DynamicQuantizeLinear', ['sample'], ['q', 's', 'z']), name: refused },
      node('DequantizeLinear', ['q', 's', 'z'], ['out_sample']),
    ],
  },
  {
    name: 'a value for every row',
    subject: `Add "${refused}"`,
    reason: /value of its own for every row, and is made of the input "mask"/,
    remedy: /compute it inside the graph/,
    nodes: [{ ...node('Add', ['sample', 'mask'], ['out_sample']), name: refused }],
    inputs: { mask: [1, 1, 'height', 1] },
  },
  {
    name: 'a value for every row and every word',
    subject: `Add "${refused}"`,
    reason: /value of its own for every row and for the text beside them/,
    remedy: /tables for the image alone/,
    nodes: [
      node('Concat', ['sample', 'words'], ['both'], { axis: 2 }),
      node('Shape', ['both'], ['size']),
      node('ConstantOfShape', ['size'], ['fill']),
      node('CumSum', ['fill', 'axis'], ['rows']),
      { ...node('Add', ['both', 'rows'], ['out_sample']), name: refused },
    ],
    initializers: [int64Tensor('axis', [2], []), weight('words', [1, 4, 3, 4])],
  },
  {
    name: 'a table that is computed from the number of attention scores',
    subject: 'Shape "size-node"',
    reason:
      /table with a value for every row is computed from a size that is not of the image alone/,
    remedy: /size of the latent/,
    nodes: [
      node('Transpose', ['sample'], ['t'], { perm: [0, 1, 3, 2] }),
      node('MatMul', ['sample', 't'], ['scores']),
      node('Shape', ['scores'], ['size']),
      node('Slice', ['size', 'two', 'three'], ['rows']),
      node('Concat', ['rows', 'one'], ['column'], { axis: 0 }),
      node('ConstantOfShape', ['column'], ['table']),
      node('Add', ['sample', 'table'], ['out_sample']),
    ],
    initializers: [int64Tensor('one', [1]), int64Tensor('two', [2]), int64Tensor('three', [3])],
  },
  {
    name: 'a part of the image beside a text',
    subject: `Slice "${refused}"`,
    reason: /keeps tokens 0 to 5, which are neither the image nor the text/,
    remedy: /whole rows only/,
    nodes: [
      node('Concat', ['sample', 'words'], ['both'], { axis: 2 }),
      { ...node('Slice', ['both', 'zero', 'five', 'axis'], ['out_sample']), name: refused },
    ],
    initializers: [
      weight('words', [1, 4, 3, 4]),
      int64Tensor('zero', [0]),
      int64Tensor('five', [5]),
      int64Tensor('axis', [2]),
    ],
  },
  {
    name: 'a text on both sides of the image',
    subject: `Concat "${refused}"`,
    reason: /joins tensors along image rows/,
    remedy: /text before or behind the image/,
    nodes: [
      {
        ...node('Concat', ['words', 'sample', 'words'], ['out_sample'], { axis: 2 }),
        name: refused,
      },
    ],
    initializers: [weight('words', [1, 4, 3, 4])],
  },
  {
    name: 'an equation that sums',
    subject: `Einsum "${refused}"`,
    reason: /equation nchw,cd->ndhw is more than another order of axes/,
    remedy: /MatMul/,
    nodes: [
      {
        ...node('Einsum', ['sample', 'w'], ['out_sample'], { equation: 'nchw,cd->ndhw' }),
        name: refused,
      },
    ],
    initializers: [weight('w', [4, 4])],
  },
  {
    name: 'a value computed from the image height',
    subject: `Mul "${refused}"`,
    reason: /computed from the image height/,
    remedy: /one device/,
    nodes: [
      node('Shape', ['sample'], ['size']),
      node('Gather', ['size', 'two'], ['rows']),
      node('Cast', ['rows'], ['height'], { to: 1 }),
      { ...node('Mul', ['sample', 'height'], ['out_sample']), name: refused },
    ],
    initializers: [int64Tensor('two', [2], [])],
  },
  {
    name: 'a reshape that tears rows apart',
    subject: `Reshape "${refused}"`,
    reason: /fall on no single axis/,
    remedy: /keep rows whole/,
    nodes: [
      { ...node('Reshape', ['sample', 'flat'], ['all']), name: refused },
      node('Reshape', ['all', 'flat'], ['out_sample']),
    ],
    initializers: [int64Tensor('flat', [-1, 8])],
  },
];

for (const { name, subject, reason, remedy, ...graph } of refusals) {
  test(`refuses ${name}`, async (t) => {
    const size = { height: 16, width: 4, batch: 1 };
    const error = await t.throwsAsync(compileModel(smallModel(graph), size), {
      instanceOf: PcppError,
    });
    t.is(error.code, 'E_GRAPH');
    t.true(error.message.includes(subject), error.message);
    t.regex(error.message, reason);
    t.regex(error.message, remedy);
  });
}

test('refuses an operator set before 13 and says how to export', async (t) => {
  const model = smallModel({ nodes: [node('Sigmoid', ['sample'], ['out_sample'])], opset: 12 });
  const error = await t.throwsAsync(compileModel(model, { height: 8, width: 4, batch: 1 }), {
    instanceOf: PcppError,
  });
  t.is(error.code, 'E_GRAPH');
  t.regex(error.message, /operator set 12.*--opset 14/);
});

test('refuses sizes between the levels and names the nearest that work', async (t) => {
  const strided = node('Conv', ['sample', 'w'], ['low'], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  });
  const up = node('Resize', ['low', '', 'twice'], ['out_sample'], {
    mode: 'nearest',
    nearest_mode: 'floor',
    coordinate_transformation_mode: 'asymmetric',
  });
  const model = smallModel({
    nodes: [strided, up],
    initializers: [weight('w', [4, 4, 3, 3]), twice],
  });
  const error = await t.throwsAsync(compileModel(model, { height: 8, width: 7, batch: 1 }), {
    instanceOf: PcppError,
  });
  t.is(error.code, 'E_SIZE');
  t.regex(error.message, /width 7.*multiple of 2.*6 or 8/);
});

test('refuses a model that uses our names', async (t) => {
  const nodes = [
    node('Sigmoid', ['sample'], ['cuts']),
    node('Conv', ['cuts', 'w'], ['out_sample'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
  ];
  const model = smallModel({ nodes, initializers: [weight('w', [4, 4, 3, 3])] });
  await t.throwsAsync(compileModel(model, { height: 8, width: 4, batch: 1 }), {
    code: 'E_GRAPH',
    message: /"cuts" has two producers/,
  });
});
