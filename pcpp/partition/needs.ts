/** Which rows of whom a patch needs at a border site. Everything that is cut, sent or counted starts here. */

import { PcppError } from '../errors.js';
import { type ConvSite, rowsAt, type Site } from '../rewrite/sites.js';
import { type PatchPlan, patchCount } from './plan.js';

/** Rows [from, to) of a site's own level, counted over the whole image. */
export type Rows = readonly [from: number, to: number];

export interface Part {
  readonly patch: number;
  readonly rows: Rows;
}

/** What is joined on before or after a patch's own rows, in ascending row order. */
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

/** Rows that patch `patch` owns at the site's level. */
export const ownRows = (plan: PatchPlan, site: Site, patch: number): Rows => [
  rowsAt(site.level, plan.bounds[patch]!),
  rowsAt(site.level, plan.bounds[patch + 1]!),
];

export const rowsIn = (block: Block): number =>
  block.parts.reduce((sum, { rows: [from, to] }) => sum + to - from, block.zeroRows);

/** The interval of input rows that own output rows read, cut into own rows, neighbours' rows and padding. */
function stencilNeed(plan: PatchPlan, site: ConvSite, patch: number): Need {
  const height = rowsAt(site.level, plan.height);
  const [start, end] = ownRows(plan, site, patch);
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

function neighbourPart(plan: PatchPlan, site: Site, patch: number, rows: Rows): Part[] {
  const [from, to] = rows;
  if (to <= from) return [];
  const [start, end] = ownRows(plan, site, patch);
  if (from < start || to > end) {
    throw new PcppError(
      'E_PARTITION',
      `"${site.nodes[0]}" needs ${to - from} rows of patch ${patch}, which has ${end - start}; use fewer patches`,
    );
  }
  return [{ patch, rows }];
}

function attentionNeed(plan: PatchPlan, site: Site, patch: number): Need {
  const count = patchCount(plan);
  const others = [...Array(count).keys()];
  if (plan.mode === 'distrifusion') {
    const whole = (other: number): Part => ({ patch: other, rows: ownRows(plan, site, other) });
    return {
      before: { zeroRows: 0, parts: others.slice(0, patch).map(whole) },
      after: { zeroRows: 0, parts: others.slice(patch + 1).map(whole) },
    };
  }
  const share = (other: number): number => {
    const [from, to] = ownRows(plan, site, other);
    // 0.3 * 10 is a little above 3 in binary, and must not become 4.
    return Math.min(to - from, Math.ceil(plan.borderFraction * (to - from) - 1e-9));
  };
  const above = patch > 0 ? share(patch - 1) : 0;
  const below = patch < count - 1 ? share(patch + 1) : 0;
  const [start, end] = ownRows(plan, site, patch);
  return {
    before: above
      ? { zeroRows: 0, parts: [{ patch: patch - 1, rows: [start - above, start] }] }
      : nothing,
    after: below
      ? { zeroRows: 0, parts: [{ patch: patch + 1, rows: [end, end + below] }] }
      : nothing,
  };
}
