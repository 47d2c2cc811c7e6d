/**
 * Operators of one geometry make one site: what they need lies one after another in one block. Plans and messages then
 * have tens of regions, where the graph has hundreds of operators.
 */

import type { NodeProto } from '../onnx/messages.js';
import type { Oracle } from '../onnx/oracle.js';
import type { Propagation } from './propagate.js';
import type { Edit } from './rule.js';
import { levelOf, type NormSite, type Site } from './sites.js';
import { product, type RowTag } from './tags.js';

/** One input of one node that gets borders. */
export interface BorderMember {
  readonly node: NodeProto;
  readonly operand: number;
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
  readonly groups: number;
}

export interface NormGroup {
  readonly site: NormSite;
  readonly members: readonly NormMember[];
}

type BorderEdit = Extract<Edit, { kind: 'conv' | 'attention' }>;
/** What members of a site have in common. */
type Geometry = Omit<Site, 'id' | 'nodes' | 'outers' | 'outer'>;

/** @param height Rows of the latent while probing. */
export function groupBorders(found: Propagation, oracle: Oracle, height: number): BorderGroup[] {
  const groups = new Map<string, { geometry: Geometry; members: BorderMember[] }>();
  for (const node of found.view.nodes) {
    const edit = found.edits.get(node);
    if (edit?.kind !== 'conv' && edit?.kind !== 'attention') continue;
    for (const operand of edit.kind === 'attention' ? edit.operands : [0]) {
      const member = memberOf(node, operand, found, oracle);
      const outRows = (found.tags.get(node.output![0]!) as RowTag).rows;
      const geometry = geometryOf(member, edit, outRows, height);
      // What is not sent stays alone: every such node takes the same rows of the latent.
      const alone = edit.kind === 'conv' && edit.fresh ? node.output : [];
      const key = JSON.stringify([geometry, member.type, alone]);
      const group = groups.get(key) ?? { geometry, members: [] };
      group.members.push(member);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(({ geometry, members }, id) => {
    const outers = members.map(({ outer }) => outer);
    const outer = outers.reduce((a, b) => a + b);
    return {
      site: { ...geometry, id, nodes: members.map(nameOf), outers, outer } as Site,
      members,
    };
  });
}

function memberOf(
  node: NodeProto,
  operand: number,
  found: Propagation,
  oracle: Oracle,
): BorderMember {
  const name = node.input![operand]!;
  const dims = oracle.shapes.get(name)!;
  const tag = found.tags.get(name) as RowTag;
  const outer = product(dims.slice(0, tag.axis));
  return { node, operand, dims, tag, outer, type: oracle.types.get(name)! };
}

function geometryOf(
  { dims, tag }: BorderMember,
  edit: BorderEdit,
  outRows: number,
  height: number,
): Geometry {
  const common = {
    level: levelOf(tag.rows, height),
    inner: tag.inner,
    rowSize: tag.inner * product(dims.slice(tag.axis + 1)),
  };
  if (edit.kind === 'attention') return { ...common, kind: 'attention' };
  const { kernel, stride, dilation, pads, fresh } = edit;
  const [padTop, , padBottom] = pads;
  const outLevel = levelOf(outRows, height);
  const geometry = { kernel, stride, dilation, padTop, padBottom, fresh, outLevel };
  return { ...common, kind: 'conv', ...geometry } as Geometry;
}

const nameOf = ({ node, operand }: BorderMember): string =>
  `${node.name || node.output![0]}${operand > 0 ? `:${operand}` : ''}`;

/** Norms of one level. */
export function groupNorms(found: Propagation, height: number): NormGroup[] {
  const groups = new Map<number, NormMember[]>();
  for (const node of found.view.nodes) {
    const edit = found.edits.get(node);
    if (edit?.kind !== 'norm') continue;
    const { rows } = found.tags.get(edit.source) as RowTag;
    groups.set(rows, [...(groups.get(rows) ?? []), { node, groups: edit.groups }]);
  }
  return [...groups].map(([rows, members], id) => {
    const nodes = members.map(({ node }) => node.name ?? '');
    const sum = members.reduce((all, member) => all + member.groups, 0);
    return { site: { id, nodes, level: levelOf(rows, height), groups: sum }, members };
  });
}
