/** Graphs that cannot be split, said so that the reader knows which node, why, and what to do about it. */

import { PcppError } from '../errors.js';
import { nameOf } from '../onnx/graph.js';
import type { NodeProto } from '../onnx/messages.js';
import { isStandard, type OnnxModel } from '../onnx/model.js';

const unfused =
  'give the unfused export (what optimum-cli writes without -O); ONNX Runtime fuses it again after the split';
const unquantised = 'give the float32 or float16 export';

/** Operators we know and do not split, with what to do. */
const known: ReadonlyMap<string, readonly [reason: string, remedy: string]> = new Map([
  ['com.microsoft:Attention', ['its packed QKV weights hide keys and values', unfused]],
  ['com.microsoft:PackedAttention', ['its packed QKV weights hide keys and values', unfused]],
  ['com.microsoft:GroupNorm', ['fused group normalisation keeps its moments to itself', unfused]],
  [
    'com.microsoft:SkipGroupNorm',
    ['fused group normalisation keeps its moments to itself', unfused],
  ],
  ['com.microsoft:NhwcConv', ['channels-last convolutions are not split', unfused]],
  ['com.microsoft:BiasSplitGelu', ['fused feed-forward layers are not split', unfused]],
  ['com.microsoft:SkipLayerNormalization', ['fused residual normalisation is not split', unfused]],
  ['com.microsoft:FusedConv', ['fused convolutions are not split', unfused]],
  ['com.microsoft:FusedMatMul', ['fused products are not split', unfused]],
  [
    'GlobalAveragePool',
    ['it averages over image rows', 'only group normalisation may look at all rows at once'],
  ],
  [
    'GlobalMaxPool',
    ['it reduces over image rows', 'only group normalisation may look at all rows at once'],
  ],
  ['AveragePool', ['pooling over rows is not split', 'export with strided convolutions']],
  ['MaxPool', ['pooling over rows is not split', 'export with strided convolutions']],
  [
    'SpaceToDepth',
    [
      'rows inside channels are not followed',
      'export with a convolution whose kernel is its stride',
    ],
  ],
]);

const isQuantised = (op: string): boolean =>
  /^(QLinear|DynamicQuant|Quantize|Dequantize|.*Integer$|MatMulNBits|.*Quantized)/.test(op);

/** Operator with its domain in front where that is not the standard one. */
export const operatorOf = (node: NodeProto): string =>
  isStandard(node.domain) ? (node.op_type ?? '') : `${node.domain}:${node.op_type}`;

/** @throws PcppError `E_GRAPH` */
export function refuse(node: NodeProto, reason: string, remedy: string): never {
  throw new PcppError('E_GRAPH', `${nameOf(node)} cannot be split by rows: ${reason}; ${remedy}`);
}

/** @throws PcppError `E_GRAPH`: no rule covers this operator, and its input has image rows. */
export function refuseOperator(node: NodeProto): never {
  const operator = operatorOf(node);
  const entry = known.get(operator);
  if (entry) return refuse(node, ...entry);
  if (isQuantised(node.op_type ?? ''))
    return refuse(node, 'quantised operators are not split', unquantised);
  return refuse(
    node,
    `there is no rule for the operator ${operator}, and its input has image rows`,
    'export with standard operators, or run the model on one device',
  );
}

/**
 * What can be said before any shape is known.
 *
 * @throws PcppError `E_GRAPH`
 */
export function checkModel(model: OnnxModel): void {
  if (model.opset < 13) {
    throw new PcppError(
      'E_GRAPH',
      `the graph uses operator set ${model.opset}, splitting needs 13 or newer; export again with --opset 14 or newer`,
    );
  }
  for (const node of model.graph.node ?? []) {
    if (node.attribute?.some((entry) => entry.g)) {
      refuse(node, 'graphs inside nodes are not analysed', 'export without control flow');
    }
    if (isQuantised(node.op_type ?? '') || operatorOf(node) === 'com.microsoft:Attention') {
      refuseOperator(node);
    }
  }
}
