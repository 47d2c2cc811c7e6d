// Before: y = (x - mean) / sqrt(var + eps) * scale + bias, moments of the whole image
// After:  y = x * s + t with s = scale / sqrt(v + eps), t = bias - m1 * s
//         own = mean over rows of (E[x], E[x^2]);  m = gn_a * own + gn_b;  v = m2 - m1^2, or own variance where negative

import type { GraphBuilder } from '../onnx/builder.js';
import { constantOf, type GraphView, intOf } from '../onnx/graph.js';
import { elementTypes, type NodeProto, type TensorProto } from '../onnx/messages.js';
import { countOf } from '../onnx/model.js';
import type { Edit } from './rule.js';

type NormEdit = Extract<Edit, { kind: 'norm' }>;

/** Scale and shift per channel that follow the normalisation; they are folded into s and t, which saves two passes. */
export interface AffineTail {
  readonly gamma: string;
  readonly beta: string;
  /** The value that s and t now yield directly. */
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

/** @returns Names of the flat row moments: E[x] and E[x^2], [N, groups, rows] each. */
export function emitNorm(builder: GraphBuilder, norm: Norm): [string, string] {
  const { edit, batch, type, node } = norm;
  const { groups, channels, width } = edit;
  const { float32 } = elementTypes;
  const perGroup = channels / groups;
  const image =
    edit.flat && edit.channels === edit.groups
      ? builder.reshape(edit.source, [batch, channels, -1, width])
      : edit.source;
  // Squares of half-precision activations overflow: moments are float32 whatever the model is.
  const x = builder.casted(image, type, float32);
  const [rows1, rows2] = [x, builder.op('Mul', [x, x])].map((value) => {
    const columns = builder.reduceMean(value, [3]);
    if (perGroup === 1) return columns;
    return builder.reduceMean(builder.reshape(columns, [batch, groups, perGroup, -1]), [2]);
  }) as [string, string];
  const [own1, own2] = [rows1, rows2].map((rows) => builder.reduceMean(rows, [2], true)) as [
    string,
    string,
  ];
  const [b1, b2] = builder
    .splitBy(builder.reshape(norm.terms, [2, batch, groups, 1]), builder.int64([1, 1]), 2)
    .map((part) => builder.reshape(part, [batch, groups, 1])) as [string, string];
  const used = (own: string, b: string): string =>
    builder.op('Add', [builder.op('Mul', [own, 'gn_a']), b]);
  const mean = used(own1, b1);
  const variance = fallBack(
    builder,
    spread(builder, mean, used(own2, b2)),
    spread(builder, own1, own2),
  );
  const deviation = builder.op('Sqrt', [
    builder.op('Add', [variance, builder.float(edit.epsilon)]),
  ]);
  const unit = builder.op('Reciprocal', [deviation]);
  const parameter = (value: string): string =>
    builder.reshape(
      builder.casted(value, type, float32),
      edit.perChannel ? [1, groups, perGroup] : [1, groups, 1],
    );
  let s = builder.op('Mul', [unit, parameter(node.input![1]!)]);
  let t = builder.op('Sub', [parameter(node.input![2]!), builder.op('Mul', [mean, s])]);
  if (norm.tail) {
    const [gamma, beta] = [norm.tail.gamma, norm.tail.beta].map((value) =>
      builder.reshape(builder.casted(value, type, float32), [1, groups, perGroup]),
    ) as [string, string];
    s = builder.op('Mul', [s, gamma]);
    t = builder.op('Add', [builder.op('Mul', [t, gamma]), beta]);
  }
  apply(builder, norm, image, [s, t]);
  return [builder.reshape(rows1, [-1]), builder.reshape(rows2, [-1])];
}

const spread = (builder: GraphBuilder, mean: string, square: string): string =>
  builder.op('Sub', [square, builder.op('Mul', [mean, mean])]);

/** Stale moments can contradict fresh ones; rounding can make even the own variance a little negative. */
function fallBack(builder: GraphBuilder, variance: string, own: string): string {
  const isNegative = builder.op('Less', [variance, builder.float(0)]);
  return builder.op('Relu', [builder.op('Where', [isNegative, own, variance])]);
}

/** y = x * s + t on [N, C, rows, W], then in the shape that readers of the node expect. */
function apply(
  builder: GraphBuilder,
  norm: Norm,
  image: string,
  st: readonly [string, string],
): void {
  const { edit, batch, type, node, tail } = norm;
  const { groups, channels } = edit;
  const isWide = edit.perChannel || tail !== undefined || channels === groups;
  // Per group where channels share s and t: [N, groups, 1] against [N, groups, -1].
  const flatShape = [batch, groups, -1];
  const shape = isWide ? [batch, channels, 1, 1] : [batch, groups, 1];
  const [s, t] = st.map((value) =>
    builder.casted(builder.reshape(value, shape), elementTypes.float32, type),
  ) as [string, string];
  const output = tail?.output ?? node.output![0]!;
  const scaled = (x: string, result?: string): string =>
    builder.op('Add', [builder.op('Mul', [x, s]), t], {}, result);
  const keepsShape = tail !== undefined || !edit.flat;
  if (isWide && keepsShape) scaled(image, output);
  else if (isWide) builder.reshape(scaled(image), flatShape, output);
  else if (edit.flat) scaled(builder.reshape(image, flatShape), output);
  else {
    builder.reshape(
      scaled(builder.reshape(image, flatShape)),
      [batch, channels, -1, edit.width],
      output,
    );
  }
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
