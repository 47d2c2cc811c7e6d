/**
 * Operators of one geometry make one site: what they need lies one after another in one block. Plans and messages then
 * have tens of regions, where the graph has hundreds of operators.
 */

import type { NodeProto } from '../onnx/messages.js';
import type { Oracle } from '../onnx/oracle.js';
import { type Joint, jointsOf, tokenSize } from './joints.js';
import { type NormJoint, normJointsOf } from './norm-joints.js';
import type { Propagation } from './propagate.js';
import type { Edit } from './rule.js';
import {
  type AttentionPayload,
  type AttentionSite,
  type ConvSite,
  levelOf,
  type NormSite,
  type Site,
} from './sites.js';
import { stagesOf } from './stages.js';
import { product, type RowTag } from './tags.js';

/** One value that gets borders. */
export interface BorderMember {
  /** The convolution that reads it, or the first operator of the attention. */
  readonly node: NodeProto;
  readonly value: string;
  /** Attention only: what is made of it. */
  readonly joint?: Joint;
  /** Convolutions in stages only: how the convolution's input is made of it. */
  readonly normJoint?: NormJoint;
  readonly dims: readonly number[];
  readonly tag: RowTag;
  /** Elements before the row axis. */
  readonly outer: number;
  /** Element type of the value. */
  readonly type: number;
}

export interface BorderGroup {
  readonly site: Site;
  readonly members: readonly BorderMember[];
}

export interface NormMember {
  readonly node: NodeProto;
  /** What it normalises. */
  readonly source: string;
  readonly groups: number;
  /** Of `source`, while probing. */
  readonly rows: number;
}

export interface NormGroup {
  readonly site: NormSite;
  readonly members: readonly NormMember[];
}

type ConvEdit = Extract<Edit, { kind: 'conv' }>;
/** What members of a site have in common. */
type Geometry =
  | Omit<ConvSite, 'id' | 'nodes' | 'outers' | 'outer'>
  | Omit<AttentionSite, 'id' | 'nodes' | 'outers' | 'outer' | 'keysAndValues'>;

/** What patches tell each other at one time. */
export interface Exchange {
  readonly borders: readonly BorderGroup[];
  readonly norms: readonly NormGroup[];
}

/**
 * `displaced`: all at once, for the next step. `staged`: within the step, after each stage what the next one reads of it.
 */
export type Timing = 'displaced' | 'staged';

/** What a graph is to be like. */
export interface GraphForm {
  readonly timing: Timing;
  /** `hidden` where attention allows it. */
  readonly payload: AttentionPayload;
  /** Parts of names by which attention is told apart, with `*` for any characters. @default none */
  readonly layers?: readonly string[];
}

/**
 * @param height Rows of the latent while probing.
 * @returns One, or one after each stage. The latent's own rows belong to the last: they are those of the next step.
 */
export function exchangesOf(
  found: Propagation,
  oracle: Oracle,
  height: number,
  { payload, timing, layers = [] }: GraphForm,
): readonly Exchange[] {
  const joints = jointsOf(found, oracle, payload);
  const normJoints = timing === 'staged' ? normJointsOf(found, oracle) : new Map();
  const members = borderMembers(found, oracle, joints, normJoints);
  const norms = normMembers(found);
  const exchange = (
    isToldOf: (member: BorderMember) => boolean,
    isNormOf: (member: NormMember) => boolean,
  ): Exchange => ({
    borders: groupBorders(members.filter(isToldOf), found, oracle, height, layers),
    norms: groupNorms(norms.filter(isNormOf), height),
  });
  const all = (): boolean => true;
  if (timing === 'displaced') return [exchange(all, all)];
  const stages = stagesOf(found, joints, normJoints);
  const toldAfter = (member: BorderMember): number =>
    isFreshIn(found, member) ? stages.count - 1 : stages.of(member.value);
  return Array.from({ length: stages.count }, (_, stage) =>
    exchange(
      (member) => toldAfter(member) === stage,
      ({ source }) => stages.of(source) === stage,
    ),
  );
}

function borderMembers(
  found: Propagation,
  oracle: Oracle,
  joints: ReadonlyMap<NodeProto, readonly Joint[]>,
  normJoints: ReadonlyMap<NodeProto, NormJoint>,
): BorderMember[] {
  return found.view.nodes.flatMap((node): BorderMember[] => {
    if (found.edits.get(node)?.kind === 'conv') {
      const normJoint = normJoints.get(node);
      const value = normJoint?.source ?? node.input![0]!;
      return [{ ...memberOf(node, value, found, oracle), ...(normJoint ? { normJoint } : {}) }];
    }
    return (joints.get(node) ?? []).map((joint) => ({
      ...memberOf(node, joint.value, found, oracle),
      joint,
    }));
  });
}

function groupBorders(
  members: readonly BorderMember[],
  found: Propagation,
  oracle: Oracle,
  height: number,
  layers: readonly string[],
): BorderGroup[] {
  const groups = new Map<string, { geometry: Geometry; members: BorderMember[] }>();
  for (const member of members) {
    const edit = found.edits.get(member.node);
    const geometry = geometryOf(member, edit, found, height, layers);
    // What is not sent stays alone: every such node takes the same rows of the latent.
    const alone = isFreshIn(found, member) ? member.node.output : [];
    const key = JSON.stringify([geometry, member.type, alone]);
    const group = groups.get(key) ?? { geometry, members: [] };
    group.members.push(member);
    groups.set(key, group);
  }
  return [...groups.values()].map((group, id) => ({
    site: siteOf(group.geometry, group.members, id, found, oracle),
    members: group.members,
  }));
}

function isFreshIn({ edits }: Propagation, { node }: BorderMember): boolean {
  const edit = edits.get(node);
  return edit?.kind === 'conv' && edit.fresh;
}

function siteOf(
  geometry: Geometry,
  members: readonly BorderMember[],
  id: number,
  found: Propagation,
  oracle: Oracle,
): Site {
  const outers = members.map(({ outer }) => outer);
  const outer = outers.reduce((a, b) => a + b);
  const listed = { id, nodes: members.map(nameOf), outers, outer };
  return geometry.kind === 'conv'
    ? { ...geometry, ...listed }
    : { ...geometry, ...listed, keysAndValues: keysAndValuesOf(members, found, oracle) };
}

function memberOf(
  node: NodeProto,
  value: string,
  found: Propagation,
  oracle: Oracle,
): BorderMember {
  const dims = oracle.shapes.get(value)!;
  const tag = found.tags.get(value) as RowTag;
  const outer = product(dims.slice(0, tag.axis));
  return { node, value, dims, tag, outer, type: oracle.types.get(value)! };
}

function geometryOf(
  member: BorderMember,
  edit: Edit | undefined,
  found: Propagation,
  height: number,
  layers: readonly string[],
): Geometry {
  const { node, dims, tag, joint, normJoint } = member;
  const common = {
    level: levelOf(tag.rows, height),
    inner: tag.inner,
    size: product(dims.slice(tag.axis + 1)),
  };
  if (joint) {
    const own = layers.filter((pattern) => isNamed(nameOf(member), pattern));
    const told = own.length > 0 ? { layers: own } : {};
    return { ...common, kind: 'attention', payload: joint.payload, ...told };
  }
  const { kernel, stride, dilation, pads, fresh } = edit as ConvEdit;
  const [padTop, , padBottom] = pads;
  const outLevel = levelOf((found.tags.get(node.output![0]!) as RowTag).rows, height);
  // A row of an image is one position, whatever its width.
  const row = { inner: 1, size: common.size * common.inner };
  const geometry = { kernel, stride, dilation, padTop, padBottom, fresh, outLevel };
  const normalized = normJoint ? { normalized: true as const } : {};
  return { ...common, ...row, kind: 'conv', ...geometry, ...normalized };
}

/** Elements of one token in the operands that these members lead to. */
function keysAndValuesOf(
  members: readonly BorderMember[],
  found: Propagation,
  oracle: Oracle,
): number {
  const sizes = members.flatMap(({ joint }) =>
    (joint?.operands ?? []).map(({ node, index }) => tokenSize(found, oracle, node.input![index]!)),
  );
  return sizes.reduce((a, b) => a + b, 0);
}

/** Whether the parts of the pattern are found one after another. */
function isNamed(name: string, pattern: string): boolean {
  let from = 0;
  return pattern.split('*').every((part) => {
    const found = name.indexOf(part, from);
    from = found + part.length;
    return found >= 0;
  });
}

const nameOf = ({ node, joint }: BorderMember): string => {
  const own = node.name || node.output![0]!;
  if (!joint) return own;
  const [first] = joint.operands;
  return joint.payload === 'hidden'
    ? `${own}:hidden`
    : `${first!.node.name || own}:${first!.index}`;
};

function normMembers(found: Propagation): NormMember[] {
  return found.view.nodes.flatMap((node) => {
    const edit = found.edits.get(node);
    if (edit?.kind !== 'norm') return [];
    const { source, groups } = edit;
    return [{ node, source, groups, rows: (found.tags.get(source) as RowTag).rows }];
  });
}

/** Norms of one level. */
function groupNorms(members: readonly NormMember[], height: number): NormGroup[] {
  const levels = new Map<number, NormMember[]>();
  for (const member of members) {
    levels.set(member.rows, [...(levels.get(member.rows) ?? []), member]);
  }
  return [...levels].map(([rows, alike], id) => {
    const nodes = alike.map(({ node }) => node.name ?? '');
    const groups = alike.reduce((all, member) => all + member.groups, 0);
    return { site: { id, nodes, level: levelOf(rows, height), groups }, members: alike };
  });
}
