// Before: MatMul(q, kT) + 0 * ConstantOfShape(shape of the scores)    (older attention processors: baddbmm)
// After:  MatMul(q, kT) + 0 * [[[c]]]: a fill of many elements becomes one element of the same rank

import { attribute, type GraphView, viewOf } from '../onnx/graph.js';
import { elementTypes, type NodeProto } from '../onnx/messages.js';
import { floatTensor, type OnnxModel, openModel } from '../onnx/model.js';
import type { Oracle } from '../onnx/oracle.js';

const broadcasting: readonly (string | undefined)[] = ['Add', 'Sub', 'Mul', 'Div'];

/**
 * Fills of rank 3 and more whose size broadcasting supplies anyway: it is another in every patch.
 *
 * @returns The same model if there is nothing to replace.
 */
export function shrinkFills(model: OnnxModel, oracle: Oracle): OnnxModel {
  const view = viewOf(model.graph);
  const fills = view.nodes.filter((node) => isWideFill(node, view, oracle));
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

function isWideFill(node: NodeProto, view: GraphView, oracle: Oracle): boolean {
  if (node.op_type !== 'ConstantOfShape') return false;
  const name = node.output![0]!;
  const isFloat = oracle.types.get(name) !== elementTypes.int64;
  const isWide = (oracle.shapes.get(name)?.length ?? 0) >= 3;
  return isFloat && isWide && isSupplied(name, view, oracle);
}

/** Whether something else gives every result of `value` the size that it has: otherwise the size is what it is there for. */
function isSupplied(value: string, view: GraphView, oracle: Oracle): boolean {
  if (view.outputs.has(value)) return false;
  return (view.consumers.get(value) ?? []).every((reader) => {
    const result = reader.output![0]!;
    const dims = oracle.shapes.get(result);
    const others = reader.input!.filter((name) => name !== value);
    const isGiven = others.some((name) => `${oracle.shapes.get(name)}` === `${dims}`);
    return broadcasting.includes(reader.op_type) && (isGiven || isSupplied(result, view, oracle));
  });
}
