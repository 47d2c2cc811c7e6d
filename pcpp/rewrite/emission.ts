/** What is gathered while a patch graph is written, and how its site inputs are taken apart at the beginning. */

import { GraphBuilder } from '../onnx/builder.js';
import type { NodeProto } from '../onnx/messages.js';
import type { OnnxModel } from '../onnx/model.js';
import type { Oracle } from '../onnx/oracle.js';
import type { Propagation } from './propagate.js';
import type { Edit } from './rule.js';
import type { NormSite, Site } from './sites.js';

export interface Emission {
  readonly builder: GraphBuilder;
  readonly found: Propagation;
  readonly oracle: Oracle;
  /** Rows of the latent while probing; levels are shares of it. */
  readonly height: number;
  readonly batch: number;
  readonly borders: Site[];
  readonly norms: NormSite[];
  /** `borders_in` in blocks: before and after, site by site. */
  readonly blocks: readonly string[];
  /** `cuts` in single numbers. */
  readonly cuts: readonly string[];
  /** `gn_b` by norm site. */
  readonly terms: readonly string[];
  /** Flat slices of `borders_out`. */
  readonly published: string[];
  /** Flat moments of `gn_rows`. */
  readonly moments: string[];
  /** Model values under their new names: half-precision ports become float32 outside. */
  readonly renamed: Map<string, string>;
  /** Nodes whose work another node's emission has done. */
  readonly done: Set<NodeProto>;
}

export const isFreshEdit = (edit: Edit): boolean => edit.kind === 'conv' && edit.fresh;

/** @param sample Name of the latent input. */
export function beginEmission(
  model: OnnxModel,
  oracle: Oracle,
  found: Propagation,
  sample: string,
): Emission {
  const [batch, , height] = oracle.shapes.get(sample) as [number, number, number];
  const edits = found.view.nodes.flatMap((node) => found.edits.get(node) ?? []);
  const borders = count(edits);
  const sent = count(edits.filter((edit) => !isFreshEdit(edit)));
  const lengths = edits.flatMap((edit) => (edit.kind === 'norm' ? [2 * batch * edit.groups] : []));
  const builder = new GraphBuilder(model.opset);
  const ones = Array<number>(4 * sent).fill(1);
  return {
    builder,
    found,
    oracle,
    height,
    batch,
    borders: [],
    norms: [],
    blocks: borders ? builder.splitBy('borders_in', 'in_sizes', 2 * borders) : [],
    cuts: sent ? builder.splitBy('cuts', builder.int64(ones), 4 * sent) : [],
    terms: lengths.length ? builder.splitBy('gn_b', builder.int64(lengths), lengths.length) : [],
    published: [],
    moments: [],
    renamed: new Map(),
    done: new Set(),
  };
}

/** Border sites that edits make. */
const count = (edits: readonly Edit[]): number =>
  edits.reduce((sum, edit) => {
    if (edit.kind === 'attention') return sum + edit.operands.length;
    return edit.kind === 'conv' ? sum + 1 : sum;
  }, 0);
