// Before: norm -> SiLU -> Conv, where a patch needs its neighbours' moments and then their rows
// After:  stage 0 makes the moments and picks edge rows | stage 1 normalises both and convolves
//
// How often patches must have heard of each other before a value can be made of fresh values alone: the value's stage.

import type { NodeProto } from '../onnx/messages.js';
import type { Joint } from './joints.js';
import type { NormJoint } from './norm-joints.js';
import type { Propagation } from './propagate.js';

export interface Stages {
  /** 0 for what is made of a patch's own rows, and for what has no rows. */
  readonly of: (value: string) => number;
  readonly count: number;
}

export function stagesOf(
  found: Propagation,
  joints: ReadonlyMap<NodeProto, readonly Joint[]>,
  normJoints: ReadonlyMap<NodeProto, NormJoint>,
): Stages {
  const stages = new Map<string, number>();
  const of = (value: string): number => stages.get(value) ?? 0;
  const joined = joinedValues(joints);
  for (const node of found.view.nodes) {
    // What others know of these values comes one stage later than the values themselves.
    const told = toldValues(found, node, joined, normJoints);
    const stage = Math.max(0, ...(node.input ?? []).map(of), ...told.map((value) => of(value) + 1));
    for (const name of node.output ?? []) stages.set(name, stage);
  }
  return { of, count: Math.max(0, ...stages.values()) + 1 };
}

/** Values of which a node reads the other patches' rows, tokens or moments too. */
function toldValues(
  { edits }: Propagation,
  node: NodeProto,
  joined: ReadonlyMap<NodeProto, readonly string[]>,
  normJoints: ReadonlyMap<NodeProto, NormJoint>,
): readonly string[] {
  const edit = edits.get(node);
  switch (edit?.kind) {
    case 'conv':
      // The latent's own rows come with the step.
      return edit.fresh ? [] : [normJoints.get(node)?.source ?? node.input![0]!];
    case 'norm':
      return [edit.source];
    case 'attention':
      return joined.get(node) ?? [];
    default:
      return [];
  }
}

/** By attention operator the values that borders are joined to on the way to it. */
function joinedValues(
  joints: ReadonlyMap<NodeProto, readonly Joint[]>,
): ReadonlyMap<NodeProto, readonly string[]> {
  const joined = new Map<NodeProto, string[]>();
  for (const joint of [...joints.values()].flat()) {
    for (const { node } of joint.operands) {
      joined.set(node, [...(joined.get(node) ?? []), joint.value]);
    }
  }
  return joined;
}
