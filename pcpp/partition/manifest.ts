/**
 * The layout of everything that leaves or enters a patch's graph, derived from the plan alone, by both sides.
 *
 * A message is one flat float32 array: moments of every norm site, then the sender's edge rows of the latent, then its
 * rows of every border site in graph order. Lengths and offsets are in elements.
 */

import type { Site } from '../rewrite/sites.js';
import { type Block, needOf, ownSpan, positionsIn, type Span } from './needs.js';
import { type PatchPlan, patchCount } from './plan.js';

export type Region =
  /** For each norm site E[x] and then E[x^2] of the sender's rows: 2 * [N, groups]. */
  | { readonly kind: 'moments'; readonly offset: number; readonly length: number }
  /** Latent rows [from, to) of the image after the sender's sampler step: [C, rows, W], unscaled. */
  | {
      readonly kind: 'latent';
      readonly span: Span;
      readonly offset: number;
      readonly length: number;
    }
  /** Positions of a border site: [outer, positions, size]. */
  | {
      readonly kind: 'border';
      readonly site: number;
      readonly span: Span;
      readonly offset: number;
      readonly length: number;
    };

export interface Manifest {
  readonly from: number;
  readonly to: number;
  readonly regions: readonly Region[];
  /** Elements of the message. */
  readonly length: number;
}

export const isFresh = (site: Site): boolean => site.kind === 'conv' && site.fresh;

/** Layouts are derived once for each plan and patch: they are asked for several times in every step. */
class Layouts<T> {
  readonly #known = new WeakMap<PatchPlan, Map<string, T>>();

  of(plan: PatchPlan, key: string, derive: () => T): T {
    const layouts = this.#known.get(plan) ?? new Map<string, T>();
    this.#known.set(plan, layouts);
    const layout = layouts.get(key) ?? derive();
    layouts.set(key, layout);
    return layout;
  }
}

const manifests = new Layouts<Manifest>();
const outlets = new Layouts<readonly Outlet[]>();

/** What `from` sends to `to` after every displaced step. */
export const manifestOf = (plan: PatchPlan, from: number, to: number): Manifest =>
  manifests.of(plan, `${from} ${to}`, () => deriveManifest(plan, from, to));

function deriveManifest(plan: PatchPlan, from: number, to: number): Manifest {
  const regions: Region[] = [];
  let offset = 0;
  const add = (region: Region): void => {
    regions.push(region);
    offset += region.length;
  };
  const moments = momentsLength(plan);
  if (moments > 0 && plan.groupNorm !== 'local') add({ kind: 'moments', offset, length: moments });
  const latent = plan.latentApart ? undefined : latentRows(plan, from, to);
  if (latent) {
    add({ kind: 'latent', span: latent, offset, length: latentLength(plan, from, to) });
  }
  for (const site of plan.sites.borders) {
    const span = isFresh(site) ? undefined : partSpan(plan, site, from, to);
    if (!span) continue;
    const length = site.outer * (span[1] - span[0]) * site.size;
    add({ kind: 'border', site: site.id, span, offset, length });
  }
  return { from, to, regions, length: offset };
}

/** Elements of one patch's moments: 2 * N * groups of every norm site. */
export const momentsLength = (plan: PatchPlan): number =>
  plan.sites.norms.reduce((sum, site) => sum + 2 * plan.batch * site.groups, 0);

/** Latent rows of `from` that convolutions on the latent read in `to`; undefined if none. */
export function latentRows(plan: PatchPlan, from: number, to: number): Span | undefined {
  let joined: Span | undefined;
  for (const site of plan.sites.borders) {
    const rows = isFresh(site) ? partSpan(plan, site, from, to) : undefined;
    if (rows) joined = joined ? [Math.min(joined[0], rows[0]), Math.max(joined[1], rows[1])] : rows;
  }
  return joined;
}

/** Elements of these rows, all channels. */
export function latentLength(plan: PatchPlan, from: number, to: number): number {
  const [first, end] = latentRows(plan, from, to) ?? [0, 0];
  return plan.sites.channels * (end - first) * plan.width;
}

function partSpan(plan: PatchPlan, site: Site, from: number, to: number): Span | undefined {
  const need = needOf(plan, site, to);
  const block = from < to ? need.before : need.after;
  return block.parts.find((part) => part.patch === from)?.span;
}

/** One block of `borders_in`. */
export interface Inlet {
  readonly site: Site;
  readonly side: 'before' | 'after';
  readonly block: Block;
  /** Positions of the block. */
  readonly count: number;
  readonly offset: number;
  readonly length: number;
}

/** `borders_in` of a patch: for each border site what comes before the own rows, then what comes after. */
export function inletsOf(plan: PatchPlan, patch: number): readonly Inlet[] {
  let offset = 0;
  return plan.sites.borders.flatMap((site) => {
    const { before, after } = needOf(plan, site, patch);
    const inletOf = (side: Inlet['side'], block: Block): Inlet => {
      const count = positionsIn(block);
      const length = site.outer * count * site.size;
      const inlet = { site, side, block, count, offset, length };
      offset += inlet.length;
      return inlet;
    };
    return [inletOf('before', before), inletOf('after', after)];
  });
}

/** Two slices of one site that a patch publishes: for those above it and for those below it. */
export interface Outlet {
  readonly site: Site;
  readonly up: Span;
  /** Empty where it would be the same as `up`. */
  readonly down: Span;
  readonly offset: number;
  readonly length: number;
}

/** `borders_out` of a displaced step: for each site that is not fresh, its `up` slice and then its `down` slice. */
export const outletsOf = (plan: PatchPlan, patch: number): readonly Outlet[] =>
  outlets.of(plan, `${patch}`, () => deriveOutlets(plan, patch));

function deriveOutlets(plan: PatchPlan, patch: number): readonly Outlet[] {
  let offset = 0;
  return plan.sites.borders
    .filter((site) => !isFresh(site))
    .map((site) => {
      const up = wantedSpan(plan, site, patch, 0, patch);
      const wanted = wantedSpan(plan, site, patch, patch + 1, patchCount(plan));
      const down: Span = up[0] === wanted[0] && up[1] === wanted[1] ? [up[1], up[1]] : wanted;
      const length = site.outer * (up[1] - up[0] + down[1] - down[0]) * site.size;
      const outlet = { site, up, down, offset, length };
      offset += length;
      return outlet;
    });
}

/** What patches [first, end) want of `patch`; they all want the same. */
function wantedSpan(plan: PatchPlan, site: Site, patch: number, first: number, end: number): Span {
  for (let to = first; to < end; to++) {
    const span = partSpan(plan, site, patch, to);
    if (span) return span;
  }
  const [start] = ownSpan(plan, site, patch);
  return [start, start];
}

/** The same image as one patch: the layout of a whole-image run. */
export const wholePlan = (plan: PatchPlan): PatchPlan => ({ ...plan, bounds: [0, plan.height] });
