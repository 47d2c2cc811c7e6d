// Before: norm -> SiLU -> Conv, where neighbours tell moments, then rows of what the convolution reads
// After:  neighbours tell moments and rows of what is normalised, at one time; the receiver normalises the rows itself
//
// What lies between a normalisation and a convolution works row by row, so it may as well be done to the neighbours' few
// rows too: in a graph of stages this saves every second exchange.

import type { NodeProto } from '../onnx/messages.js';
import type { Oracle } from '../onnx/oracle.js';
import { affineTail } from './emit-norm.js';
import type { Propagation } from './propagate.js';
import type { RowTag } from './tags.js';

export interface NormJoint {
  readonly norm: NodeProto;
  /** What it normalises: its rows travel. */
  readonly source: string;
  /** What it gives, an image again. */
  readonly normalized: string;
  /** What makes the convolution's input of that, in no order. */
  readonly path: ReadonlySet<NodeProto>;
}

/** By convolution. */
export function normJointsOf(
  found: Propagation,
  oracle: Oracle,
): ReadonlyMap<NodeProto, NormJoint> {
  const norms = new Map<string, Omit<NormJoint, 'path'>>();
  for (const node of found.view.nodes) {
    const edit = found.edits.get(node);
    if (edit?.kind !== 'norm') continue;
    const tail = affineTail(found, oracle, node, edit);
    const normalized = tail?.output ?? (edit.flat ? undefined : node.output![0]!);
    if (normalized === undefined) continue;
    norms.set(normalized, { norm: node, source: edit.source, normalized });
  }
  const joints = new Map<NodeProto, NormJoint>();
  for (const node of found.view.nodes) {
    const edit = found.edits.get(node);
    if (edit?.kind !== 'conv' || edit.fresh) continue;
    const joint = jointBefore(found, oracle, node, norms);
    if (joint) joints.set(node, joint);
  }
  return joints;
}

/** Follows the convolution's input back; every way must end in the same normalisation. */
function jointBefore(
  found: Propagation,
  oracle: Oracle,
  conv: NodeProto,
  norms: ReadonlyMap<string, Omit<NormJoint, 'path'>>,
): NormJoint | undefined {
  const input = conv.input![0]!;
  const rows = (found.tags.get(input) as RowTag).rows;
  const isImage = (value: string): boolean => {
    const tag = found.tags.get(value);
    const rank = oracle.shapes.get(value)!.length;
    return (
      tag?.kind === 'rows' && rank === 4 && tag.axis === 2 && tag.inner === 1 && tag.rows === rows
    );
  };
  const path = new Set<NodeProto>();
  const ends = new Set<string>();
  const open = [input];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (!isImage(value)) return undefined;
    if (norms.has(value)) {
      ends.add(value);
      continue;
    }
    const producer = found.view.producers.get(value);
    if (!producer || found.edits.has(producer)) return undefined;
    if (path.has(producer)) continue;
    path.add(producer);
    open.push(...(producer.input ?? []).filter((name) => found.tags.has(name)));
  }
  const [end] = ends;
  const joint = ends.size === 1 ? norms.get(end!) : undefined;
  return joint && isImage(joint.source) ? { ...joint, path } : undefined;
}
