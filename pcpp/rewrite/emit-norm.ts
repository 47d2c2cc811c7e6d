// Before: y = (x - mean) / sqrt(var + eps) * scale + bias, moments of the whole image
// After:  y = BatchNormalization(x, scale, bias, m1, v): (x - m1) / sqrt(v + eps) * scale + bias
//         own = mean over rows of (E[x], E[x^2]);  m = gn_a * own + gn_b;  v = m2 - m1^2, or own variance where negative

import type { GraphBuilder } from '../onnx/builder.js';
import { constantOf, type GraphView, intOf } from '../onnx/graph.js';
import { elementTypes, type NodeProto, type TensorProto } from '../onnx/messages.js';
import { countOf } from '../onnx/model.js';
import type { Edit } from './rule.js';

type NormEdit = Extract<Edit, { kind: 'norm' }>;

/** Scale and shift per channel that follow the normalisation; folding them in saves two passes. */
export interface AffineTail {
  readonly gamma: string;
  readonly beta: string;
  /** The value that the normalisation now yields directly. */
  readonly output: string;
  readonly nodes: readonly NodeProto[];
}

interface Norm {
  /** With its inputs under their present names. */
  readonly node: NodeProto;
  readonly edit: NormEdit;
  readonly batch: number;
  /** Element type of the value to normalise. */
  readonly type: number;
  /** [N * groups * 2]: b of E[x], then b of E[x^2]. */
  readonly terms: string;
  readonly tail: AffineTail | undefined;
}

/** @returns Name of the flat row moments: E[x] and then E[x^2], 2 * [N, groups, rows]. */
export function emitNorm(builder: GraphBuilder, norm: Norm): string {
  const { edit, batch, type } = norm;
  const { groups, channels, width } = edit;
  const { float32 } = elementTypes;
  // Batch rows as channels, which is what BatchNormalization needs below. ONNX Runtime also leaves a product of reshaped
  // values alone: that of convolution results it would take to its blocked layout and back. Pow is slower still.
  const image = builder.reshape(edit.source, [1, batch * channels, -1, width]);
  // Squares of half-precision activations overflow: moments are float32 whatever the model is.
  const x = builder.casted(image, type, float32);
  const columns = [x, builder.op('Mul', [x, x])].map((value) => builder.reduceMean(value, [3]));
  const both = builder.reshape(builder.concat(columns, 0), [
    2 * batch * groups,
    channels / groups,
    -1,
  ]);
  const rows = builder.reduceMean(both, [1]);
  const [mean, variance] = usedMoments(builder, norm, builder.reduceMean(rows, [1]));
  const [scale, bias] = parameters(builder, norm);
  // One pass over the activations: x * s + t per channel.
  const channelwise = builder.batchNormalization(
    [x, scale, bias, perChannel(builder, norm, mean), perChannel(builder, norm, variance)],
    edit.epsilon,
  );
  const isFlat = edit.flat && !norm.tail;
  builder.reshape(
    builder.casted(channelwise, float32, type),
    isFlat ? [batch, groups, -1] : [batch, channels, -1, width],
    norm.tail?.output ?? norm.node.output![0]!,
  );
  return builder.reshape(rows, [-1]);
}

/**
 * gn_a * own + gn_b, as mean and variance, [N * groups] each.
 *
 * @param own E[x] and E[x^2] of the own rows: [2 * N * groups].
 */
function usedMoments(builder: GraphBuilder, norm: Norm, own: string): [string, string] {
  const half = norm.batch * norm.edit.groups;
  const used = builder.op('Add', [builder.op('Mul', [own, 'gn_a']), norm.terms]);
  const spread = (moments: string): [mean: string, variance: string] => {
    const [mean, square] = builder.splitBy(moments, builder.int64([half, half]), 2);
    const variance = builder.op('Sub', [square!, builder.op('Mul', [mean!, mean!])]);
    return [mean!, variance];
  };
  const [mean, variance] = spread(used);
  // Where the variance is negative, because stale moments contradict fresh ones, the own variance takes its place: the
  // inner term is negative otherwise, and then at most `own`. Zero, because rounding can make even that one negative.
  const own1 = builder.op('Min', [
    spread(own)[1],
    builder.op('Mul', [variance, builder.float(-1e30)]),
  ]);
  return [mean, builder.op('Max', [variance, own1, builder.float(0)])];
}

/** Scale and bias of the node and of the tail together, [N * C] each. Constant, so ONNX Runtime folds all of this. */
function parameters(builder: GraphBuilder, norm: Norm): [scale: string, bias: string] {
  const { edit, batch, type, node, tail } = norm;
  const perGroup = edit.channels / edit.groups;
  const shaped = (value: string, last: number): string =>
    builder.reshape(builder.casted(value, type, elementTypes.float32), [1, edit.groups, last]);
  const expanded = (value: string): string => {
    const all = builder.op('Expand', [value, builder.int64([batch, edit.groups, perGroup])]);
    return builder.reshape(all, [batch * edit.channels]);
  };
  const last = edit.perChannel ? perGroup : 1;
  const scale = shaped(node.input![1]!, last);
  const bias = shaped(node.input![2]!, last);
  if (!tail) return [expanded(scale), expanded(bias)];
  const gamma = shaped(tail.gamma, perGroup);
  const shifted = builder.op('Mul', [bias, gamma]);
  return [
    expanded(builder.op('Mul', [scale, gamma])),
    expanded(builder.op('Add', [shifted, shaped(tail.beta, perGroup)])),
  ];
}

/** [N * groups] as one value per batch row and channel: [N * C]. */
function perChannel(builder: GraphBuilder, { edit, batch }: Norm, value: string): string {
  const perGroup = edit.channels / edit.groups;
  if (perGroup === 1) return value;
  const groupOf = Array.from({ length: batch * edit.channels }, (_, channel) =>
    Math.floor(channel / perGroup),
  );
  return builder.op('Gather', [value, builder.int64(groupOf)], { axis: 0 });
}

/**
 * The chain Reshape back to [N, C, H, W], Mul by one constant per channel, Add of another, each read only by the next.
 * Where it is absent or different the normalisation is written without it, which is slower and equally right.
 */
export function affineTail(
  view: GraphView,
  node: NodeProto,
  edit: NormEdit,
): AffineTail | undefined {
  if (!edit.flat) return undefined;
  const back = onlyReader(view, node, 'Reshape');
  const mul = back && onlyReader(view, back, 'Mul');
  const add = mul && onlyReader(view, mul, 'Add');
  if (!back || !mul || !add) return undefined;
  const gamma = parameterOf(view, mul, back.output![0]!, edit.channels);
  const beta = parameterOf(view, add, mul.output![0]!, edit.channels);
  if (!gamma || !beta) return undefined;
  return { gamma, beta, output: add.output![0]!, nodes: [back, mul, add] };
}

function onlyReader(view: GraphView, node: NodeProto, type: string): NodeProto | undefined {
  const output = node.output![0]!;
  const readers = view.consumers.get(output) ?? [];
  const [reader] = readers;
  const isAlone = readers.length === 1 && reader?.op_type === type && !view.outputs.has(output);
  return isAlone && intOf(reader, 'axis') === undefined ? reader : undefined;
}

/** The constant operand, if it is [C, 1, 1] or [1, C, 1, 1]. */
function parameterOf(
  view: GraphView,
  node: NodeProto,
  value: string,
  channels: number,
): string | undefined {
  const name = node.input!.find((input) => input !== value);
  const tensor: TensorProto | undefined = name ? constantOf(view, name) : undefined;
  const dims = (tensor?.dims ?? []).map(Number);
  const perChannel =
    dims.length >= 3 && dims.at(-3) === channels && tensor && countOf(tensor) === channels;
  return perChannel ? name : undefined;
}
