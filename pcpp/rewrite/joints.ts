// Before: x -> MatMul -> Reshape -> Transpose -> keys;  x -> MatMul -> Reshape -> Transpose -> values
// After:  the same from Concat(before, x, after) on, beside the queries, which see x alone
//
// Where borders join the way to keys and values. What lies on the way works row by row, so it may as well work on the
// border's tokens too: they then travel as what is smallest, or lies most conveniently.

import type { NodeProto } from '../onnx/messages.js';
import type { Oracle } from '../onnx/oracle.js';
import type { Propagation } from './propagate.js';
import type { AttentionPayload } from './sites.js';
import { product, type RowTag } from './tags.js';

/** One input of an attention operator. */
export interface Operand {
  readonly node: NodeProto;
  readonly index: number;
}

export interface Joint {
  /** The value whose tokens travel, and that borders are joined to. */
  readonly value: string;
  readonly payload: AttentionPayload;
  /** Keys and values that derive from it. */
  readonly operands: Operand[];
  /** What makes them of it. */
  readonly path: Set<NodeProto>;
}

/** By the attention operator that comes first, each joint once. */
export function jointsOf(
  found: Propagation,
  oracle: Oracle,
  payload: AttentionPayload,
): ReadonlyMap<NodeProto, readonly Joint[]> {
  const known = new Map<string, Joint>();
  const joints = new Map<NodeProto, Joint[]>();
  for (const node of found.view.nodes) {
    const pair = pairOf(found, node);
    if (!pair) continue;
    for (const made of jointsOfPair(found, oracle, pair, payload)) {
      const same = known.get(made.value);
      if (same) {
        same.operands.push(...made.operands);
        for (const step of made.path) same.path.add(step);
        continue;
      }
      known.set(made.value, made);
      const { node: first } = pair[0];
      joints.set(first, [...(joints.get(first) ?? []), made]);
    }
  }
  return joints;
}

type Pair = readonly [keys: Operand, values: Operand];

/** Keys and values of the attention that ends in `node`. */
function pairOf(found: Propagation, node: NodeProto): Pair | undefined {
  const edit = found.edits.get(node);
  if (edit?.kind !== 'attention') return undefined;
  const [first, second] = edit.operands.map((index): Operand => ({ node, index }));
  if (first && second) return [first, second];
  const scores = scoresOf(found, node.input![0]!);
  return scores && first && [{ node: scores, index: 1 }, first];
}

/** The operator that multiplied queries and keys into these scores; undefined if they are none. */
function scoresOf(found: Propagation, value: string): NodeProto | undefined {
  let name: string | undefined = value;
  while (name !== undefined && keyOf(found, name)) {
    const producer: NodeProto = found.view.producers.get(name)!;
    if (found.edits.get(producer)?.kind === 'attention') return producer;
    name = producer.input!.find((input) => keyOf(found, input));
  }
  return undefined;
}

function keyOf(found: Propagation, name: string): RowTag['key'] {
  const tag = found.tags.get(name);
  return tag?.kind === 'rows' ? tag.key : undefined;
}

function jointsOfPair(
  found: Propagation,
  oracle: Oracle,
  pair: Pair,
  payload: AttentionPayload,
): Joint[] {
  const ways = pair.map((operand) => wayTo(found, operand)) as [Way, Way];
  const shared = payload === 'hidden' ? sharedSource(found, oracle, ways) : undefined;
  if (shared !== undefined) {
    const path = new Set(ways.flatMap((way) => stepsFrom(way, shared)));
    return [{ value: shared, payload: 'hidden', operands: [...pair], path }];
  }
  return ways.map((way, position) => {
    const value = handiest(found, oracle, way);
    const path = new Set(stepsFrom(way, value));
    return { value, payload: 'kv', operands: [pair[position]!], path };
  });
}

/** From an operand back: each value is made of the next one alone, row by row, by the step between them. */
interface Way {
  readonly values: readonly string[];
  readonly steps: readonly NodeProto[];
}

function wayTo(found: Propagation, { node, index }: Operand): Way {
  const values = [node.input![index]!];
  const steps: NodeProto[] = [];
  for (;;) {
    const last = values.at(-1)!;
    const producer = found.view.producers.get(last);
    const source = producer && sourceOf(found, producer, found.tags.get(last) as RowTag);
    if (!producer || source === undefined) return { values, steps };
    values.push(source);
    steps.push(producer);
  }
}

/** The one value with rows that a row-by-row operator reads; undefined if it is not of this kind. */
function sourceOf(found: Propagation, node: NodeProto, out: RowTag): string | undefined {
  const edit = found.edits.get(node);
  if (edit && edit.kind !== 'reshape') return undefined;
  const sources = new Set((node.input ?? []).filter((name) => found.tags.has(name)));
  const [source] = sources;
  if (source === undefined || sources.size > 1) return undefined;
  const tag = found.tags.get(source);
  // Borders may end within a row: a token must stay one. A text may join them on the way.
  const isAlike =
    tag?.kind === 'rows' && !tag.key && tag.inner === out.inner && tag.rows === out.rows;
  return isAlike ? source : undefined;
}

/** The nearest value that both ways come from and that is less than what they lead to: queries may be in nearer ones. */
function sharedSource(
  found: Propagation,
  oracle: Oracle,
  [keys, values]: readonly [Way, Way],
): string | undefined {
  const size = (value: string): number => tokenSize(found, oracle, value);
  const separate = size(keys.values[0]!) + size(values.values[0]!);
  return keys.values.find((value) => values.values.includes(value) && size(value) < separate);
}

/**
 * Of the forms that keys or values have before they are at the operand, the one in the fewest pieces: [N, L, D] rather
 * than [N, heads, D, L], where a token lies in N * heads * D places. Best of all before a text joins the image.
 */
function handiest(found: Propagation, oracle: Oracle, way: Way): string {
  const hasText = (value: string): boolean => (found.tags.get(value) as RowTag).text !== undefined;
  const pieces = (value: string): number => {
    const tag = found.tags.get(value) as RowTag;
    return product(oracle.shapes.get(value)!.slice(0, tag.axis));
  };
  let best = way.values[0]!;
  for (const [index, step] of way.steps.entries()) {
    if (isProjection(step)) break;
    const value = way.values[index + 1]!;
    const [from, to] = [value, best].map((name) => tokenSize(found, oracle, name));
    const isHandier = pieces(value) < pieces(best) || (hasText(best) && !hasText(value));
    if (from === to && isHandier) best = value;
  }
  return best;
}

/** Elements of one token, of all batch rows. */
export const tokenSize = (found: Propagation, oracle: Oracle, value: string): number => {
  const dims = oracle.shapes.get(value)!;
  return product(dims) / dims[(found.tags.get(value) as RowTag).axis]!;
};

const isProjection = ({ op_type: op }: NodeProto): boolean =>
  op === 'MatMul' || op === 'Gemm' || op === 'Conv';

const stepsFrom = (way: Way, value: string): readonly NodeProto[] =>
  way.steps.slice(0, way.values.indexOf(value));
