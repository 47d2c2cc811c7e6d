/** What is gathered while a patch graph is written, and how its site inputs are taken apart at the beginning. */

import { GraphBuilder } from '../onnx/builder.js';
import type { NodeProto } from '../onnx/messages.js';
import type { Oracle } from '../onnx/oracle.js';
import type { EmittedNorm } from './emit-norm.js';
import type { Propagation } from './propagate.js';
import { RowSpan } from './row-span.js';
import {
  type BorderGroup,
  type BorderMember,
  type Exchange,
  exchangesOf,
  type GraphForm,
} from './site-groups.js';
import { ownShare, type SitePorts, sitePorts } from './site-ports.js';
import { pickedOuters } from './sites.js';
import type { Trace } from './trace.js';

/** One value that gets borders, with what it needs of the site inputs. */
export interface BorderPort {
  readonly member: BorderMember;
  /** Flat blocks. */
  readonly before: string;
  readonly after: string;
  /** Of a normalized site, flat: rows of the blocks that are within the image. */
  readonly masks: readonly [before: string, after: string] | undefined;
  /** What of the value, seen as [outer * positions, size], is published; undefined if nothing ever is. */
  readonly picks: string | undefined;
}

export interface Emission {
  readonly builder: GraphBuilder;
  readonly span: RowSpan;
  readonly found: Propagation;
  readonly oracle: Oracle;
  readonly batch: number;
  /** What patches tell each other, with the ports that it enters and leaves by. */
  readonly exchanges: readonly (Exchange & { readonly names: SitePorts })[];
  readonly ports: ReadonlyMap<NodeProto, readonly BorderPort[]>;
  /** By attention operator and input what it reads instead. */
  readonly operands: Map<NodeProto, Map<number, string>>;
  /** What was picked by member in graph order, flat. */
  readonly published: Map<BorderMember, string>;
  /** [1, 2]: gn_a and 1. */
  readonly weights: string;
  /** By norm [2 * N * groups, 2]: its part of gn_b, and zeros. */
  readonly terms: ReadonlyMap<NodeProto, string>;
  readonly norms: Map<NodeProto, EmittedNorm>;
  /** By value E[x] and E[x^2] over the columns: [2 * N, channels, rows]. */
  readonly columnMoments: Map<string, string>;
  /** Model values under their new names: half-precision ports become float32 outside. */
  readonly renamed: Map<string, string>;
  /** Nodes whose work another node's emission has done. */
  readonly done: Set<NodeProto>;
}

export const isNormalized = ({ site }: BorderGroup): boolean =>
  site.kind === 'conv' && site.normalized === true;

export const isSent = ({ site }: BorderGroup): boolean => !(site.kind === 'conv' && site.fresh);

export function beginEmission({ model, oracle, found, grid }: Trace, form: GraphForm): Emission {
  const { batch, height } = grid;
  const builder = new GraphBuilder(model.opset);
  const exchanges = exchangesOf(found, oracle, height, form).map((exchange, stage) => ({
    ...exchange,
    names: sitePorts(form.timing === 'staged' ? stage : undefined),
  }));
  const hasNorms = exchanges.some(({ norms }) => norms.length > 0);
  return {
    builder,
    span: new RowSpan(builder, height),
    found,
    oracle,
    batch,
    exchanges,
    ports: mergeMaps(exchanges.map((exchange) => openPorts(builder, exchange, exchange.names))),
    operands: new Map(),
    published: new Map(),
    weights: hasNorms
      ? builder.reshape(builder.concat([ownShare, builder.floats([1])], 0), [1, 2])
      : '',
    terms: new Map(
      exchanges.flatMap((exchange) => [...openTerms(builder, exchange, exchange.names, batch)]),
    ),
    norms: new Map(),
    columnMoments: new Map(),
    renamed: new Map(),
    done: new Set(),
  };
}

/** Takes `borders_in` and `cuts` of an exchange apart. */
function openPorts(
  builder: GraphBuilder,
  { borders }: Exchange,
  names: SitePorts,
): Map<NodeProto, BorderPort[]> {
  const ports = new Map<NodeProto, BorderPort[]>();
  const count = borders.reduce((sum, { members }) => sum + members.length, 0);
  const blocks = count ? builder.splitBy(names.bordersIn, names.inSizes, 2 * count) : [];
  const picks = openPicks(builder, borders, names);
  const allMasks = openMasks(builder, borders, names);
  let first = 0;
  for (const group of borders) {
    const { members } = group;
    const masks = allMasks.get(group);
    for (const [index, member] of members.entries()) {
      const before = blocks[first + index]!;
      const after = blocks[first + members.length + index]!;
      const port = { member, before, after, masks, picks: picks.get(group)?.get(member.outer) };
      ports.set(member.node, [...(ports.get(member.node) ?? []), port]);
    }
    first += 2 * members.length;
  }
  return ports;
}

/** Takes `edge_masks` apart. */
function openMasks(
  builder: GraphBuilder,
  borders: readonly BorderGroup[],
  names: SitePorts,
): Map<BorderGroup, readonly [before: string, after: string]> {
  const masked = borders.filter(isNormalized);
  const count = 2 * masked.length;
  const parts = count ? builder.splitBy(names.edgeMasks, names.maskSizes, count) : [];
  return new Map(
    masked.map((group, index) => [group, [parts[2 * index]!, parts[2 * index + 1]!] as const]),
  );
}

/** An attention's keys and values may be told at different times. */
function mergeMaps<K, V>(maps: readonly ReadonlyMap<K, readonly V[]>[]): Map<K, readonly V[]> {
  const merged = new Map<K, readonly V[]>();
  for (const [key, values] of maps.flatMap((map) => [...map])) {
    merged.set(key, [...(merged.get(key) ?? []), ...values]);
  }
  return merged;
}

/** By site and outer elements; members of equal `outer` share theirs. */
function openPicks(
  builder: GraphBuilder,
  borders: readonly BorderGroup[],
  names: SitePorts,
): Map<BorderGroup, Map<number, string>> {
  const sent = borders.filter(isSent);
  const count = sent.reduce((sum, { site }) => sum + pickedOuters(site).length, 0);
  const parts = (count ? builder.splitBy(names.cuts, names.cutSizes, count) : []).values();
  return new Map(
    sent.map((group) => [
      group,
      new Map(pickedOuters(group.site).map((outer) => [outer, parts.next().value!])),
    ]),
  );
}

/** Takes `gn_b` of an exchange apart. */
function openTerms(
  builder: GraphBuilder,
  { norms }: Exchange,
  names: SitePorts,
  batch: number,
): Map<NodeProto, string> {
  const members = norms.flatMap((group) => group.members);
  if (members.length === 0) return new Map();
  const lengths = members.map(({ groups }) => 2 * batch * groups);
  const zeros = builder.floats(Array<number>(lengths.reduce((a, b) => a + b)).fill(0));
  const both = builder.concat(
    [names.gnB, zeros].map((value) => builder.reshape(value, [-1, 1])),
    1,
  );
  const parts = builder.splitBy(both, builder.int64(lengths), members.length);
  return new Map(members.map(({ node }, index) => [node, parts[index]!]));
}
