/** Every rule on a graph of its own: it fires, and patches with fresh borders equal the whole, in one graph and in stages. */

import test from 'ava';
import type { NodeProto, TensorProto } from '../../../pcpp/onnx/messages.js';
import { int64Tensor, saveModel } from '../../../pcpp/onnx/model.js';
import { patchGraphOf } from '../../../pcpp/rewrite/compile.js';
import { attentionPayloads } from '../../../pcpp/rewrite/sites.js';
import { stagedGraphOf } from '../../../pcpp/rewrite/staged.js';
import { traceRows } from '../../../pcpp/rewrite/trace.js';
import { checkFreshPatches } from '../../helpers/fresh-patches.js';
import { node, noise, type SmallGraph, smallModel, weight } from '../../helpers/small-graph.js';

const [height, width] = [24, 4];

interface Form extends SmallGraph {
  readonly name: string;
  readonly borders: number;
  /** With hidden states in the place of keys and values. @default the same */
  readonly hiddenBorders?: number;
  readonly norms: number;
}

const conv = (input: string, output: string, kernel: number, more: Record<string, number[]> = {}) =>
  node('Conv', [input, `w${kernel}`], [output], {
    kernel_shape: [kernel, kernel],
    pads: Array<number>(4).fill((kernel - 1) / 2),
    ...more,
  });

const w3: TensorProto = weight('w3', [4, 4, 3, 3]);
const shapes: TensorProto[] = [
  int64Tensor('tokens', [0, 0, -1]),
  int64Tensor('image', [0, 4, -1, width]),
  int64Tensor('groups', [0, 2, -1]),
];

/** Patches of two by two become tokens. */
const patchify = [
  node('Conv', ['sample', 'w2'], ['patched'], { kernel_shape: [2, 2], strides: [2, 2] }),
  node('Reshape', ['patched', 'tokens'], ['flat']),
  node('Transpose', ['flat'], ['x'], { perm: [0, 2, 1] }),
];
/** [N, L, 4] to [N, 4, H, W]. */
const unpatchify = (tokens: string): NodeProto[] => [
  node('MatMul', [tokens, 'w_out'], ['blocks']),
  node('Reshape', ['blocks', 'block_rows'], ['wide']),
  node('Einsum', ['wide'], ['narrow'], { equation: 'nhwpqc -> nchpwq' }),
  node('Reshape', ['narrow', 'image'], ['out_sample']),
];
const patchWeights = [
  ...shapes,
  weight('w2', [4, 4, 2, 2], 9),
  weight('w_out', [4, 16], 11),
  int64Tensor('block_rows', [0, -1, width / 2, 2, 2, 4]),
];

/** The image's tokens and a text's see each other, and the image then what became of the text. */
const jointAttention = (joined: readonly NodeProto[], apart: readonly NodeProto[]): NodeProto[] => [
  ...patchify,
  ...joined,
  ...softmaxScores,
  ...apart,
  node('Transpose', ['text_out'], ['text_t'], { perm: [0, 2, 1] }),
  node('MatMul', ['image_out', 'text_t'], ['s2']),
  node('MatMul', ['s2', 'text_out'], ['mixed2']),
  ...unpatchify('mixed2'),
];
/** Both streams are projected, then joined. */
const joinedLate = (order: readonly string[]): NodeProto[] =>
  ['q', 'k', 'v'].flatMap((name) => [
    ...['x', 'words'].map((part) => node('MatMul', [part, `w${name}`], [`${name}_${part}`])),
    node(
      'Concat',
      order.map((part) => `${name}_${part}`),
      [name],
      { axis: 1 },
    ),
  ]);
/** Both streams are joined, then projected. */
const joinedEarly = (order: readonly string[]): NodeProto[] => [
  node('Concat', order, ['both'], { axis: 1 }),
  node('Tanh', ['both'], ['tame']),
  ...['q', 'k', 'v'].map((name) => node('MatMul', ['tame', `w${name}`], [name])),
];
/** The number of the image's tokens, as exporters find it out. */
const lengths = ['x', 'words'].flatMap((part) => [
  node('Shape', [part], [`size_${part}`]),
  node('Slice', [`size_${part}`, 'one', 'two'], [`count_${part}`]),
]);
const jointWeights = [
  ...patchWeights,
  ...['wq', 'wk', 'wv'].map((name, index) => weight(name, [4, 4], 20 + index)),
  weight('words', [2, 5, 4], 10),
  ...[0, 1, 2].map((value) => int64Tensor(['zero', 'one', 'two'][value]!, [value])),
  int64Tensor('end', [2 ** 40]),
];
const bySlices = (counted: string, first: string, last: string): NodeProto[] => [
  ...lengths,
  node('Slice', ['mixed', 'zero', counted, 'one'], [first]),
  node('Slice', ['mixed', counted, 'end', 'one'], [last]),
];
const bySplit = (order: readonly string[]): NodeProto[] => [
  ...lengths,
  node(
    'Concat',
    order.map((part) => `count_${part}`),
    ['counts'],
    { axis: 0 },
  ),
  node(
    'Split',
    ['mixed', 'counts'],
    order.map((part) => (part === 'x' ? 'image_out' : 'text_out')),
    {
      axis: 1,
    },
  ),
];

/** `rows` [1, 1, H / 2, W / 2] numbers the rows of patches; `table` is cropped from the centre of 24 x 4. */
const tableNodes = [
  node('Shape', ['sample'], ['size']),
  node('Slice', ['size', 'two', 'end', 'zero'], ['sides']),
  node('Div', ['sides', 'two'], ['half_sides']),
  node('Sub', ['all', 'half_sides'], ['spare']),
  node('Div', ['spare', 'two'], ['first']),
  node('Add', ['first', 'half_sides'], ['last']),
  node('Slice', ['large', 'first', 'last', 'two_three'], ['table']),
  node('Concat', ['one', 'one', 'half_sides'], ['grid'], { axis: 0 }),
  node('ConstantOfShape', ['grid'], ['zeros'], {}),
  node('Add', ['zeros', 'tenth'], ['tenths']),
  node('CumSum', ['tenths', 'row_axis'], ['rows']),
];
const tableWeights = [
  ...jointWeights,
  weight('large', [1, 4, 24, 4], 13),
  weight('tenth', [1], 14),
  int64Tensor('all', [24, 4]),
  int64Tensor('two_three', [2, 3]),
  int64Tensor('row_axis', [2], []),
];

const projections = ['q', 'k', 'v'].map((name) => node('MatMul', ['x', `w${name}`], [name]));
const softmaxScores = [
  node('Transpose', ['k'], ['kt'], { perm: [0, 2, 1] }),
  node('MatMul', ['q', 'kt'], ['s']),
  node('Softmax', ['s'], ['p'], { axis: -1 }),
  node('MatMul', ['p', 'v'], ['mixed']),
];

/** [N, C, H, W] to tokens, self-attention with one head, and back. */
const attentionNodes = (scores: readonly NodeProto[], projected = projections): NodeProto[] => [
  node('Reshape', ['sample', 'tokens'], ['flat']),
  node('Transpose', ['flat'], ['x'], { perm: [0, 2, 1] }),
  ...projected,
  ...scores,
  node('Transpose', ['mixed'], ['back'], { perm: [0, 2, 1] }),
  node('Reshape', ['back', 'image'], ['out_sample']),
];

const attentionWeights = [
  ...shapes,
  ...['wq', 'wk', 'wv'].map((name, index) => weight(name, [4, 4], 20 + index)),
];

/** Two groups, with scale and shift behind the normalisation, as exporters write it. */
const groupNormNodes = (input: string, output: string): NodeProto[] => [
  node('Reshape', [input, 'groups'], ['g']),
  node('InstanceNormalization', ['g', 'ones', 'zeros'], ['n'], { epsilon: { float: 1e-5 } }),
  node('Reshape', ['n', 'image'], ['i']),
  node('Mul', ['i', 'gamma'], ['m']),
  node('Add', ['m', 'beta'], [output]),
];

const groupNormWeights = [
  weight('ones', [2], 4),
  weight('zeros', [2], 5),
  weight('gamma', [4, 1, 1], 6),
  weight('beta', [4, 1, 1], 8),
];

const forms: readonly Form[] = [
  {
    name: 'a transposed convolution whose kernel is its stride',
    borders: 1,
    norms: 0,
    nodes: [
      node('ConvTranspose', ['sample', 'w2'], ['a'], { strides: [2, 2] }),
      conv('a', 'out_sample', 3, { strides: [2, 2] }),
    ],
    initializers: [w3, weight('w2', [4, 4, 2, 2], 9)],
  },
  {
    name: 'channels that become rows and columns',
    borders: 1,
    norms: 0,
    nodes: [
      node('DepthToSpace', ['sample'], ['a'], { blocksize: 2 }),
      conv('a', 'out_sample', 3, { strides: [2, 2] }),
    ],
    initializers: [weight('w3', [4, 1, 3, 3])],
  },
  {
    name: 'a 3x3 convolution on the latent',
    borders: 1,
    norms: 0,
    nodes: [conv('sample', 'out_sample', 3)],
    initializers: [w3],
  },
  {
    name: 'a 5x5 convolution behind another',
    borders: 2,
    norms: 0,
    nodes: [conv('sample', 'a', 3), conv('a', 'out_sample', 5)],
    initializers: [w3, weight('w5', [4, 4, 5, 5])],
  },
  {
    name: 'a dilated convolution',
    borders: 2,
    norms: 0,
    nodes: [
      conv('sample', 'a', 3),
      conv('a', 'out_sample', 3, { dilations: [2, 1], pads: [2, 1, 2, 1] }),
    ],
    initializers: [w3],
  },
  {
    name: 'down by 2, up by 2',
    borders: 3,
    norms: 0,
    nodes: [
      conv('sample', 'a', 3),
      conv('a', 'low', 3, { strides: [2, 2] }),
      node('Resize', ['low', '', 'twice'], ['up'], {
        mode: 'nearest',
        nearest_mode: 'floor',
        coordinate_transformation_mode: 'asymmetric',
      }),
      conv('up', 'b', 3),
      node('Add', ['a', 'b'], ['out_sample']),
    ],
    initializers: [
      w3,
      { ...weight('twice', [4]), raw_data: new Uint8Array(Float32Array.of(1, 1, 2, 2).buffer) },
    ],
  },
  {
    name: 'group normalisation as exporters write it',
    borders: 1,
    norms: 1,
    nodes: [conv('sample', 'a', 3), ...groupNormNodes('a', 'out_sample')],
    initializers: [w3, ...shapes, ...groupNormWeights],
  },
  {
    name: 'convolutions of every kind behind one normalisation',
    borders: 4,
    norms: 1,
    nodes: [
      conv('sample', 'a', 3),
      ...groupNormNodes('a', 'b'),
      // SiLU, and then what depends on nothing but the timestep.
      node('Sigmoid', ['b'], ['gate']),
      node('Mul', ['b', 'gate'], ['c']),
      node('Add', ['c', 'beta'], ['d']),
      conv('d', 'plain', 3),
      // Its blocks below are empty.
      conv('d', 'half', 3, { strides: [2, 2] }),
      conv('c', 'wide', 3, { dilations: [2, 1], pads: [2, 1, 2, 1] }),
      node('Resize', ['half', '', 'twice'], ['up'], {
        mode: 'nearest',
        nearest_mode: 'floor',
        coordinate_transformation_mode: 'asymmetric',
      }),
      node('Add', ['plain', 'wide'], ['both']),
      node('Add', ['both', 'up'], ['out_sample']),
    ],
    initializers: [
      w3,
      ...shapes,
      { ...weight('twice', [4]), raw_data: new Uint8Array(Float32Array.of(1, 1, 2, 2).buffer) },
      ...groupNormWeights,
    ],
  },
  {
    name: 'group normalisation without scale and shift behind it',
    borders: 0,
    norms: 1,
    nodes: [
      node('Reshape', ['sample', 'groups'], ['g']),
      node('InstanceNormalization', ['g', 'ones', 'zeros'], ['n']),
      node('Reshape', ['n', 'image'], ['i']),
      node('Sigmoid', ['i'], ['out_sample']),
    ],
    initializers: [...shapes, weight('ones', [2], 4), weight('zeros', [2], 5)],
  },
  {
    name: 'instance normalisation, one group per channel',
    borders: 0,
    norms: 1,
    nodes: [node('InstanceNormalization', ['sample', 'ones', 'zeros'], ['out_sample'])],
    initializers: [weight('ones', [4], 4), weight('zeros', [4], 5)],
  },
  {
    name: 'group normalisation of tokens, as in the middle of a decoder',
    borders: 0,
    norms: 1,
    nodes: [
      node('Reshape', ['sample', 'tokens'], ['t']),
      node('Reshape', ['t', 'groups'], ['g']),
      node('InstanceNormalization', ['g', 'ones', 'zeros'], ['n']),
      node('Reshape', ['n', 'channels'], ['m']),
      node('Reshape', ['m', 'image'], ['out_sample']),
    ],
    initializers: [
      ...shapes,
      int64Tensor('channels', [0, 4, -1]),
      weight('ones', [2], 4),
      weight('zeros', [2], 5),
    ],
  },
  {
    name: 'as many groups as channels, on three axes',
    borders: 0,
    norms: 1,
    nodes: [
      node('Reshape', ['sample', 'tokens'], ['g']),
      node('InstanceNormalization', ['g', 'ones', 'zeros'], ['n']),
      node('Reshape', ['n', 'image'], ['out_sample']),
    ],
    initializers: [...shapes, weight('ones', [4], 4), weight('zeros', [4], 5)],
  },
  {
    name: 'the GroupNormalization operator',
    opset: 21,
    borders: 0,
    norms: 1,
    nodes: [
      node('GroupNormalization', ['sample', 'gamma', 'beta'], ['out_sample'], { num_groups: 2 }),
    ],
    initializers: [weight('gamma', [4], 6), weight('beta', [4], 8)],
  },
  {
    name: 'attention out of MatMul and Softmax',
    borders: 2,
    hiddenBorders: 1,
    norms: 0,
    nodes: attentionNodes(softmaxScores),
    initializers: attentionWeights,
  },
  {
    name: 'attention whose queries, keys and values are parts of one projection',
    borders: 2,
    hiddenBorders: 1,
    norms: 0,
    nodes: attentionNodes(softmaxScores, [
      node('MatMul', ['x', 'wqkv'], ['qkv']),
      node('Split', ['qkv', 'thirds'], ['q', 'k', 'v'], { axis: 2 }),
    ]),
    initializers: [...shapes, weight('wqkv', [4, 12], 20), int64Tensor('thirds', [4, 4, 4])],
  },
  {
    name: 'older attention that adds nothing times a fill of the scores',
    borders: 2,
    hiddenBorders: 1,
    norms: 0,
    nodes: attentionNodes([
      node('Transpose', ['k'], ['kt'], { perm: [0, 2, 1] }),
      node('MatMul', ['q', 'kt'], ['s']),
      node('Shape', ['s'], ['size']),
      node('ConstantOfShape', ['size'], ['fill']),
      node('Mul', ['fill', 'zero'], ['nothing']),
      node('Add', ['nothing', 's'], ['t']),
      node('Softmax', ['t'], ['p'], { axis: -1 }),
      node('MatMul', ['p', 'v'], ['mixed']),
    ]),
    initializers: [...attentionWeights, { ...weight('zero', [1]), raw_data: new Uint8Array(4) }],
  },
  {
    name: 'the Attention operator',
    opset: 23,
    borders: 2,
    hiddenBorders: 1,
    norms: 0,
    nodes: attentionNodes([
      node('Attention', ['q', 'k', 'v'], ['mixed'], { q_num_heads: 2, kv_num_heads: 2 }),
    ]),
    initializers: attentionWeights,
  },
  {
    name: 'keys and values of different tensors have nothing hidden in common',
    borders: 2,
    norms: 0,
    nodes: attentionNodes([
      node('Sigmoid', ['x'], ['y']),
      node('MatMul', ['y', 'wv'], ['w']),
      node('Add', ['w', 'x'], ['u']),
      node('Transpose', ['k'], ['kt'], { perm: [0, 2, 1] }),
      node('MatMul', ['q', 'kt'], ['s']),
      node('Softmax', ['s'], ['p'], { axis: -1 }),
      node('MatMul', ['p', 'u'], ['mixed']),
    ]),
    initializers: attentionWeights,
  },
  {
    name: 'one tensor that is keys and values at once',
    borders: 1,
    norms: 0,
    nodes: attentionNodes([
      node('Transpose', ['x'], ['xt'], { perm: [0, 2, 1] }),
      node('MatMul', ['q', 'xt'], ['s']),
      node('Softmax', ['s'], ['p'], { axis: -1 }),
      node('MatMul', ['p', 'x'], ['mixed']),
    ]),
    initializers: attentionWeights,
  },
  {
    name: 'patches that become tokens and rows of pixels again',
    borders: 0,
    norms: 0,
    nodes: [...patchify, ...unpatchify('x')],
    initializers: patchWeights,
  },
  {
    name: 'tables with a value for every row, cropped from the centre or counted',
    borders: 0,
    norms: 0,
    nodes: [
      ...tableNodes,
      patchify[0]!,
      node('Add', ['patched', 'table'], ['placed']),
      node('Mul', ['rows', 'placed'], ['counted']),
      node('Reshape', ['counted', 'tokens'], ['flat']),
      node('Transpose', ['flat'], ['x'], { perm: [0, 2, 1] }),
      ...unpatchify('x'),
    ],
    initializers: tableWeights,
  },
  {
    name: 'a table of constants, in a model that was exported for one height',
    borders: 0,
    norms: 0,
    height,
    nodes: [node('Mul', ['fixed', 'sample'], ['out_sample'])],
    initializers: [weight('fixed', [height, 1], 13)],
  },
  {
    name: 'joint attention, the text behind the image, taken apart by slices',
    borders: 2,
    hiddenBorders: 1,
    norms: 0,
    nodes: jointAttention(joinedLate(['x', 'words']), bySlices('count_x', 'image_out', 'text_out')),
    initializers: jointWeights,
  },
  {
    name: 'joint attention, the text before the image, taken apart by slices',
    borders: 2,
    hiddenBorders: 1,
    norms: 0,
    nodes: jointAttention(
      joinedLate(['words', 'x']),
      bySlices('count_words', 'text_out', 'image_out'),
    ),
    initializers: jointWeights,
  },
  {
    name: 'keys whose borders are joined behind the text, and values whose are joined before it',
    borders: 2,
    norms: 0,
    nodes: jointAttention(
      [
        ...joinedLate(['words', 'x']).map((entry) =>
          entry.output![0] === 'k'
            ? node('Concat', ['k_words', 'k_x'], ['plain'], { axis: 1 })
            : entry,
        ),
        // Two values with rows: what is before them cannot carry borders.
        node('Sigmoid', ['plain'], ['gate']),
        node('Mul', ['plain', 'gate'], ['k']),
      ],
      bySplit(['words', 'x']),
    ),
    initializers: jointWeights,
  },
  {
    name: 'one stream of image and text, taken apart by a split',
    borders: 2,
    hiddenBorders: 1,
    norms: 0,
    nodes: jointAttention(joinedEarly(['x', 'words']), bySplit(['x', 'words'])),
    initializers: jointWeights,
  },
  {
    name: 'one stream of text and image whose keys are turned by where they are',
    borders: 2,
    norms: 0,
    nodes: [
      ...tableNodes,
      node('Reshape', ['rows', 'column'], ['turns']),
      ...jointAttention(
        [
          node('Mul', ['x', 'turns'], ['turned']),
          ...joinedEarly(['words', 'turned']).map((entry) =>
            entry.output![0] === 'k' ? node('MatMul', ['tame', 'wk'], ['plain']) : entry,
          ),
          // Two values with rows: borders are joined behind them, where the text is among the keys.
          node('Sigmoid', ['plain'], ['gate']),
          node('Mul', ['plain', 'gate'], ['k']),
        ],
        bySplit(['words', 'x']),
      ),
    ],
    initializers: [...tableWeights, int64Tensor('column', [1, -1, 1])],
  },
  {
    name: 'a tensor repeated along its features',
    borders: 0,
    norms: 0,
    nodes: [
      node('Reshape', ['sample', 'tokens'], ['flat']),
      node('Unsqueeze', ['flat', 'last'], ['thin']),
      node('Expand', ['thin', 'thrice'], ['thick']),
      node('ReduceMax', ['thick'], ['most'], { axes: [3], keepdims: 0 }),
      node('Reshape', ['most', 'image'], ['out_sample']),
    ],
    initializers: [...shapes, int64Tensor('last', [3]), int64Tensor('thrice', [1, 1, 1, 3])],
  },
  {
    name: 'attention to a fixed context needs nobody',
    borders: 0,
    norms: 0,
    nodes: attentionNodes([
      node('MatMul', ['q', 'context'], ['s']),
      node('Softmax', ['s'], ['p'], { axis: -1 }),
      node('Transpose', ['context'], ['values'], { perm: [0, 2, 1] }),
      node('MatMul', ['p', 'values'], ['mixed']),
    ]),
    initializers: [...attentionWeights, weight('context', [1, 4, 5], 33)],
  },
  {
    name: 'channels split, gated and joined',
    borders: 0,
    norms: 0,
    nodes: [
      node('Split', ['sample'], ['a', 'b'], { axis: 1 }),
      node('Gelu', ['a'], ['c']),
      node('Mul', ['c', 'b'], ['d']),
      node('Concat', ['d', 'a'], ['out_sample'], { axis: 1 }),
    ],
    opset: 20,
  },
];

for (const { name, borders, hiddenBorders = borders, norms, ...graph } of forms) {
  for (const payload of hiddenBorders === borders ? (['kv'] as const) : attentionPayloads) {
    test(`${name}, ${payload}`, async (t) => {
      const model = smallModel(withSplitCount(graph));
      const trace = await traceRows(model, { height, width, batch: 2 });
      const compiled = patchGraphOf(trace, payload);
      const expected = payload === 'hidden' ? hiddenBorders : borders;
      t.is(compiled.sites.borders.flatMap((site) => site.nodes).length, expected);
      t.is(compiled.sites.norms.flatMap((site) => site.nodes).length, norms);
      await checkFreshPatches(t, {
        original: saveModel(model),
        graph: compiled,
        staged: stagedGraphOf(trace, payload),
        sample: noise([2, 4, height, width]),
        splits: [1, 2, [2, 1, 3]],
      });
    });
  }
}

/** Operator set 18 and newer want to know into how many parts. */
function withSplitCount(graph: SmallGraph): SmallGraph {
  if ((graph.opset ?? 17) < 18) return graph;
  const nodes = graph.nodes.map((entry) =>
    entry.op_type === 'Split'
      ? node('Split', entry.input!, entry.output!, { axis: 1, num_outputs: 2 })
      : entry,
  );
  return { ...graph, nodes };
}
