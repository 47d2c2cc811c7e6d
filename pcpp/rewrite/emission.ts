/** What is gathered while a patch graph is written, and how its site inputs are taken apart at the beginning. */

import { GraphBuilder } from '../onnx/builder.js';
import type { NodeProto } from '../onnx/messages.js';
import type { OnnxModel } from '../onnx/model.js';
import type { Oracle } from '../onnx/oracle.js';
import type { Propagation } from './propagate.js';
import {
  type BorderGroup,
  type BorderMember,
  groupBorders,
  groupNorms,
  type NormGroup,
} from './site-groups.js';
import { type AttentionPayload, pickedOuters } from './sites.js';

/** One value that gets borders, with what it needs of the site inputs. */
export interface BorderPort {
  readonly member: BorderMember;
  /** Flat blocks. */
  readonly before: string;
  readonly after: string;
  /** What of the value, seen as [outer * positions, size], is published; undefined if nothing ever is. */
  readonly picks: string | undefined;
}

export interface Emission {
  readonly builder: GraphBuilder;
  readonly found: Propagation;
  readonly oracle: Oracle;
  readonly batch: number;
  readonly borders: readonly BorderGroup[];
  readonly norms: readonly NormGroup[];
  readonly ports: ReadonlyMap<NodeProto, readonly BorderPort[]>;
  /** By attention operator and input what it reads instead. */
  readonly operands: Map<NodeProto, Map<number, string>>;
  /** What was picked by member in graph order, flat. */
  readonly published: Map<BorderMember, string>;
  /** [1, 2]: gn_a and 1. */
  readonly weights: string;
  /** By norm [2 * N * groups, 2]: its part of gn_b, and zeros. */
  readonly terms: ReadonlyMap<NodeProto, string>;
  /** By norm E[x] and E[x^2] of every row: [2 * N * groups, rows]. */
  readonly moments: Map<NodeProto, string>;
  /** By value E[x] and E[x^2] over the columns: [2 * N, channels, rows]. */
  readonly columnMoments: Map<string, string>;
  /** Model values under their new names: half-precision ports become float32 outside. */
  readonly renamed: Map<string, string>;
  /** Nodes whose work another node's emission has done. */
  readonly done: Set<NodeProto>;
}

export const isSent = ({ site }: BorderGroup): boolean => !(site.kind === 'conv' && site.fresh);

/** @param sample Name of the latent input. */
export function beginEmission(
  model: OnnxModel,
  oracle: Oracle,
  found: Propagation,
  sample: string,
  payload: AttentionPayload,
): Emission {
  const [batch, , height] = oracle.shapes.get(sample) as [number, number, number];
  const builder = new GraphBuilder(model.opset);
  const borders = groupBorders(found, oracle, height, payload);
  const norms = groupNorms(found, height);
  return {
    builder,
    found,
    oracle,
    batch,
    borders,
    norms,
    ports: openPorts(builder, borders),
    operands: new Map(),
    published: new Map(),
    weights: norms.length
      ? builder.reshape(builder.concat(['gn_a', builder.floats([1])], 0), [1, 2])
      : '',
    terms: openTerms(builder, norms, batch),
    moments: new Map(),
    columnMoments: new Map(),
    renamed: new Map(),
    done: new Set(),
  };
}

/** Takes `borders_in` and `cuts` apart. */
function openPorts(
  builder: GraphBuilder,
  borders: readonly BorderGroup[],
): Map<NodeProto, BorderPort[]> {
  const ports = new Map<NodeProto, BorderPort[]>();
  const count = borders.reduce((sum, { members }) => sum + members.length, 0);
  const blocks = count ? builder.splitBy('borders_in', 'in_sizes', 2 * count) : [];
  const picks = openPicks(builder, borders);
  let first = 0;
  for (const group of borders) {
    const { members } = group;
    for (const [index, member] of members.entries()) {
      const before = blocks[first + index]!;
      const after = blocks[first + members.length + index]!;
      const port = { member, before, after, picks: picks.get(group)?.get(member.outer) };
      ports.set(member.node, [...(ports.get(member.node) ?? []), port]);
    }
    first += 2 * members.length;
  }
  return ports;
}

/** By site and outer elements; members of equal `outer` share theirs. */
function openPicks(
  builder: GraphBuilder,
  borders: readonly BorderGroup[],
): Map<BorderGroup, Map<number, string>> {
  const sent = borders.filter(isSent);
  const count = sent.reduce((sum, { site }) => sum + pickedOuters(site).length, 0);
  const parts = (count ? builder.splitBy('cuts', 'cut_sizes', count) : []).values();
  return new Map(
    sent.map((group) => [
      group,
      new Map(pickedOuters(group.site).map((outer) => [outer, parts.next().value!])),
    ]),
  );
}

/** Takes `gn_b` apart. */
function openTerms(
  builder: GraphBuilder,
  norms: readonly NormGroup[],
  batch: number,
): Map<NodeProto, string> {
  const members = norms.flatMap((group) => group.members);
  if (members.length === 0) return new Map();
  const lengths = members.map(({ groups }) => 2 * batch * groups);
  const zeros = builder.floats(Array<number>(lengths.reduce((a, b) => a + b)).fill(0));
  const both = builder.concat(
    ['gn_b', zeros].map((value) => builder.reshape(value, [-1, 1])),
    1,
  );
  const parts = builder.splitBy(both, builder.int64(lengths), members.length);
  return new Map(members.map(({ node }, index) => [node, parts[index]!]));
}
