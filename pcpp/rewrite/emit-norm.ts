// Before: y = (x - mean) / sqrt(var + eps) * scale + bias, moments of the whole image
// After:  y = BatchNormalization(x, scale, bias, m1, v): (x - m1) / sqrt(v + eps) * scale + bias
//         own = mean over rows of (E[x], E[x^2]);  m = gn_a * own + gn_b;  v = m2 - m1^2, or own variance where negative

import type { GraphBuilder } from '../onnx/builder.js';
import { type GraphView, intOf } from '../onnx/graph.js';
import { elementTypes, type NodeProto } from '../onnx/messages.js';
import type { Oracle } from '../onnx/oracle.js';
import type { Propagation } from './propagate.js';
import type { Edit } from './rule.js';
import { product } from './tags.js';

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
  /** E[x], then E[x^2], of every row and channel: [2 * N, C, rows]. */
  readonly moments: string;
  /** [1, 2]: a, 1. */
  readonly weights: string;
  /** [2 * N * groups, 2]: b of E[x], then b of E[x^2]; the second column is zero. */
  readonly terms: string;
  readonly tail: AffineTail | undefined;
}

export interface EmittedNorm {
  /** Row moments: E[x] and then E[x^2], [2 * N * groups, rows]. */
  readonly rows: string;
  /** Normalises rows of other patches alike. @param value [N, C, H, W], of the element type that the norm's value has. */
  readonly normalize: (value: string) => string;
}

export function emitNorm(builder: GraphBuilder, norm: Norm): EmittedNorm {
  const { edit, batch, type } = norm;
  const { groups, channels, width } = edit;
  const { float32 } = elementTypes;
  const grouped = builder.reshape(norm.moments, [2 * batch * groups, channels / groups, -1]);
  const rows = builder.reduceMean(grouped, [1]);
  const [mean, variance] = usedMoments(builder, norm, builder.reduceMean(rows, [1], true));
  const [scale, bias] = parameters(builder, norm);
  const imageShape = [batch, channels, -1, width];
  const normalize = (value: string, shape: readonly number[], output?: string): string => {
    // Batch rows as channels: BatchNormalization has one mean for a channel of all batch rows.
    const image = builder.reshape(value, [1, batch * channels, -1, width]);
    const x = builder.casted(image, type, float32);
    // One pass over the activations: x * s + t per channel.
    const channelwise = builder.batchNormalization([x, scale, bias, mean, variance], edit.epsilon);
    return builder.reshape(builder.casted(channelwise, float32, type), shape, output);
  };
  const isFlat = edit.flat && !norm.tail;
  normalize(
    edit.source,
    isFlat ? [batch, groups, -1] : imageShape,
    norm.tail?.output ?? norm.node.output![0]!,
  );
  return { rows, normalize: (value) => normalize(value, imageShape) };
}

/**
 * gn_a * own + gn_b, as mean and variance of every channel, [N * C] each.
 *
 * @param own E[x] and E[x^2] of the own rows: [2 * N * groups, 1].
 */
function usedMoments(builder: GraphBuilder, norm: Norm, own: string): [string, string] {
  const half = norm.batch * norm.edit.groups;
  // Two columns all the way: what is used, and the own moments for the case below.
  const moments = builder.reshape(builder.op('Gemm', [own, norm.weights, norm.terms]), [-1]);
  const [mean, square] = builder.splitBy(moments, builder.int64([2 * half, 2 * half]), 2);
  const variances = builder.op('Sub', [square!, builder.op('Mul', [mean!, mean!])]);
  const variance = perChannel(builder, norm, variances, 0);
  // Where the variance is negative, because stale moments contradict fresh ones, the own variance takes its place: the
  // inner term is negative otherwise, and then at most `own`. Zero, because rounding can make even that one negative.
  const own1 = builder.op('Min', [
    perChannel(builder, norm, variances, 1),
    builder.op('Mul', [variance, builder.float(-1e30)]),
  ]);
  const positive = builder.op('Max', [variance, own1, builder.float(0)]);
  return [perChannel(builder, norm, mean!, 0), positive];
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

/** One column of a flat [N * groups, 2] as one value per batch row and channel: [N * C]. */
function perChannel(
  builder: GraphBuilder,
  { edit, batch }: Norm,
  value: string,
  column: number,
): string {
  const perGroup = edit.channels / edit.groups;
  const indices = Array.from(
    { length: batch * edit.channels },
    (_, channel) => 2 * Math.floor(channel / perGroup) + column,
  );
  return builder.op('Gather', [value, builder.int64(indices)], { axis: 0 });
}

/**
 * The chain Reshape back to [N, C, H, W], Mul by one value per channel, Add of another, each read only by the next.
 * Where it is absent or different the normalisation is written without it, which is slower and equally right.
 */
export function affineTail(
  found: Propagation,
  oracle: Oracle,
  node: NodeProto,
  edit: NormEdit,
): AffineTail | undefined {
  if (!edit.flat) return undefined;
  const { view } = found;
  const back = onlyReader(view, node, 'Reshape');
  const mul = back && onlyReader(view, back, 'Mul');
  const add = mul && onlyReader(view, mul, 'Add');
  if (!back || !mul || !add) return undefined;
  const parameterOf = (reader: NodeProto, value: string): string | undefined => {
    const name = reader.input!.find((input) => input !== value);
    const dims = (name && oracle.shapes.get(name)) || [];
    const isPerChannel =
      dims.length >= 3 && dims.at(-3) === edit.channels && product(dims) === edit.channels;
    return isPerChannel && name && !found.tags.has(name) ? name : undefined;
  };
  const gamma = parameterOf(mul, back.output![0]!);
  const beta = parameterOf(add, mul.output![0]!);
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
