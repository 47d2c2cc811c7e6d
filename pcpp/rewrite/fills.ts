// Before: MatMul(q, kT) + 0 * ConstantOfShape(shape of the scores)    (older attention processors: baddbmm)
// After:  MatMul(q, kT) + 0 * [[[c]]]: a fill of many elements becomes one element of the same rank

import { attribute } from '../onnx/graph.js';
import type { NodeProto } from '../onnx/messages.js';
import { elementTypes } from '../onnx/messages.js';
import { floatTensor, type OnnxModel, openModel } from '../onnx/model.js';
import type { Oracle } from '../onnx/oracle.js';

/**
 * Fills of rank 3 and more have a patch-dependent size that broadcasting supplies anyway.
 *
 * @returns The same model if there is nothing to replace.
 */
export function shrinkFills(model: OnnxModel, oracle: Oracle): OnnxModel {
  const fills = (model.graph.node ?? []).filter((node) => isWideFill(node, oracle));
  if (fills.length === 0) return model;
  const initializer = [...(model.graph.initializer ?? [])];
  for (const node of fills) {
    const name = node.output![0]!;
    const value = attribute(node, 'value')?.t;
    const ones = oracle.shapes.get(name)!.map(() => 1);
    if (value) initializer.push({ ...value, name, dims: ones });
    else initializer.push(floatTensor(name, [0], ones));
  }
  const node = model.graph.node!.filter((entry) => !fills.includes(entry));
  return openModel({ ...model.proto, graph: { ...model.graph, node, initializer } }, model.folder);
}

function isWideFill(node: NodeProto, oracle: Oracle): boolean {
  const name = node.output?.[0] ?? '';
  const isFloat = oracle.types.get(name) !== elementTypes.int64;
  return (
    node.op_type === 'ConstantOfShape' && isFloat && (oracle.shapes.get(name)?.length ?? 0) >= 3
  );
}
