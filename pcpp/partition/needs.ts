/** Which rows or tokens of whom a patch needs at a border site. Everything that is cut, sent or counted starts here. */

import { PcppError } from '../errors.js';
import { type ConvSite, rowsAt, type Site } from '../rewrite/sites.js';
import { type PatchPlan, patchCount } from './plan.js';

/**
 * Positions [from, to) on the row axis of a site, counted over the whole image: rows of its level, or tokens of attention,
 * W of them in a row.
 */
export type Span = readonly [from: number, to: number];

export interface Part {
  readonly patch: number;
  readonly span: Span;
}

/** What is joined on before or after a patch's own rows, in ascending order. */
export interface Block {
  /** Rows outside the image: zero padding. They lie on the far side of the parts. */
  readonly zeroRows: number;
  readonly parts: readonly Part[];
}

export interface Need {
  readonly before: Block;
  readonly after: Block;
}

const nothing: Block = { zeroRows: 0, parts: [] };

/** @throws PcppError `E_PARTITION` if a border reaches beyond the direct neighbour. */
export function needOf(plan: PatchPlan, site: Site, patch: number): Need {
  return site.kind === 'conv' ? stencilNeed(plan, site, patch) : attentionNeed(plan, site, patch);
}

/** Positions that patch `patch` owns at the site's level. */
export const ownSpan = (plan: PatchPlan, site: Site, patch: number): Span => [
  site.inner * rowsAt(site.level, plan.bounds[patch]!),
  site.inner * rowsAt(site.level, plan.bounds[patch + 1]!),
];

/** Padding is of convolutions alone, where a position is a row. */
export const positionsIn = (block: Block): number =>
  block.parts.reduce((sum, { span: [from, to] }) => sum + to - from, block.zeroRows);

/** The interval of input rows that own output rows read, cut into own rows, neighbours' rows and padding. */
function stencilNeed(plan: PatchPlan, site: ConvSite, patch: number): Need {
  const height = rowsAt(site.level, plan.height);
  const [start, end] = ownSpan(plan, site, patch);
  const [outStart, outEnd] = [plan.bounds[patch]!, plan.bounds[patch + 1]!].map((row) =>
    rowsAt(site.outLevel, row),
  ) as [number, number];
  const low = outStart * site.stride - site.padTop;
  const high = (outEnd - 1) * site.stride - site.padTop + (site.kernel - 1) * site.dilation + 1;
  if (low > start || end - high >= site.stride) {
    throw new PcppError('E_GRAPH', `convolution "${site.nodes[0]}" skips rows at a patch's edge`);
  }
  return {
    before: {
      zeroRows: Math.max(0, -low),
      parts: neighbourPart(plan, site, patch - 1, [Math.max(0, low), start]),
    },
    after: {
      zeroRows: Math.max(0, high - height),
      parts: neighbourPart(plan, site, patch + 1, [end, Math.min(height, high)]),
    },
  };
}

function neighbourPart(plan: PatchPlan, site: Site, patch: number, span: Span): Part[] {
  const [from, to] = span;
  if (to <= from) return [];
  const [start, end] = ownSpan(plan, site, patch);
  if (from < start || to > end) {
    throw new PcppError(
      'E_PARTITION',
      `"${site.nodes[0]}" needs ${to - from} rows of patch ${patch}, which has ${end - start}; use fewer patches`,
    );
  }
  return [{ patch, span }];
}

function attentionNeed(plan: PatchPlan, site: Site, patch: number): Need {
  const count = patchCount(plan);
  const others = [...Array(count).keys()];
  if (plan.mode === 'distrifusion') {
    const whole = (other: number): Part => ({ patch: other, span: ownSpan(plan, site, other) });
    return {
      before: { zeroRows: 0, parts: others.slice(0, patch).map(whole) },
      after: { zeroRows: 0, parts: others.slice(patch + 1).map(whole) },
    };
  }
  const share = (other: number): number => {
    const [from, to] = ownSpan(plan, site, other);
    return shareOf(plan, site, to - from);
  };
  const above = patch > 0 ? share(patch - 1) : 0;
  const below = patch < count - 1 ? share(patch + 1) : 0;
  const [start, end] = ownSpan(plan, site, patch);
  return {
    before: above
      ? { zeroRows: 0, parts: [{ patch: patch - 1, span: [start - above, start] }] }
      : nothing,
    after: below
      ? { zeroRows: 0, parts: [{ patch: patch + 1, span: [end, end + below] }] }
      : nothing,
  };
}

/** The part of `tokens` that the border fraction means. */
function shareOf(plan: PatchPlan, { id, inner: width }: Site, tokens: number): number {
  const fraction = plan.borderFractions?.[id] ?? plan.borderFraction;
  switch (plan.borderCut) {
    case 'rows':
      // 0.3 * 10 is a little above 3 in binary, and must not become 4.
      return width * Math.ceil((fraction * tokens) / width - 1e-9);
    case 'tokens':
      return Math.floor(fraction * tokens + 1e-9);
  }
}
