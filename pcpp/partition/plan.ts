/** Who owns which latent rows, and by which rules patches look at each other. Integers only, and pure data. */

import { createHash } from 'node:crypto';
import { PcppError } from '../errors.js';
import { checkSize, type GraphSites } from '../rewrite/sites.js';
import type { Wire } from './wire.js';

/** `pcpp`: a fraction of each direct neighbour is attended. `distrifusion`: every other patch, whole. */
export type PatchMode = 'pcpp' | 'distrifusion';

/**
 * Statistics of group normalisation in displaced steps. `damped`: stale ones of all patches, and of the own change as much as
 * others are likely to have changed alike. `corrected`: plus the whole own change, as DistriFusion has it. `stale`: those of
 * the others, as old as they are, averaged with own fresh ones. `local`: own rows only.
 */
export type GroupNormMode = 'damped' | 'corrected' | 'stale' | 'local';

/** Steps between the one that makes a border and the one that reads it. At 2 a message has a whole step to arrive in. */
export type BorderAge = 1 | 2;

/** How the border fraction is rounded: up to whole rows of tokens, or down to single tokens. */
export type BorderCut = 'rows' | 'tokens';

export const groupNormModes: readonly GroupNormMode[] = ['damped', 'corrected', 'stale', 'local'];

export const borderCuts: readonly BorderCut[] = ['rows', 'tokens'];

/** Structured-clonable and JSON-able. Graph slices, messages and forecasts all derive from it. */
export interface PatchPlan {
  readonly sites: GraphSites;
  /** Latent rows. */
  readonly height: number;
  /** Latent columns. */
  readonly width: number;
  readonly batch: number;
  /** Patch i owns latent rows [bounds[i], bounds[i + 1]). */
  readonly bounds: readonly number[];
  readonly mode: PatchMode;
  /** Share of a direct neighbour's rows that is attended, 0..1; 1 in distrifusion mode. */
  readonly borderFraction: number;
  /** The same by attention site, where it is another; only in pcpp mode. */
  readonly borderFractions?: Readonly<Record<number, number>>;
  readonly borderCut: BorderCut;
  readonly groupNorm: GroupNormMode;
  readonly wire: Wire;
  readonly age: BorderAge;
  /** The latent's edge rows are told by themselves, not with the borders of the step that made them. */
  readonly latentApart?: true;
  /** Equal on both sides of a link, or their messages do not fit each other. */
  readonly hash: string;
}

export interface PlanOptions {
  /** Latent rows. */
  readonly height: number;
  /** Latent columns, as the graph was compiled. */
  readonly width: number;
  /**
   * A number of patches, as equal as whole units of `sites.downsampling` rows allow; or one weight per patch, to which
   * its rows are proportional. Weights that are the rows themselves are kept exactly.
   */
  readonly patches: number | readonly number[];
  readonly mode: PatchMode;
  /** @default 0.3 */
  readonly borderFraction?: number;
  /** By site id; what is not named has the `borderFraction`. @default none */
  readonly borderFractions?: ReadonlyMap<number, number>;
  /** Whole rows are more bytes where patches are thin: at least one at every level. @default 'rows' */
  readonly borderCut?: BorderCut;
  /** Batch rows of one run, as the graph was compiled. */
  readonly batch: number;
  /** @default 'corrected' */
  readonly groupNorm?: GroupNormMode;
  /** Precision of borders on the wire. @default 'fp32' */
  readonly wire?: Wire;
  /** @default 1 */
  readonly age?: BorderAge;
  /** Whether the latent's edge rows travel by themselves. @default false: they come with the borders */
  readonly latentApart?: boolean;
}

export const planDefaults: Required<
  Pick<PlanOptions, 'borderFraction' | 'borderCut' | 'groupNorm' | 'wire' | 'age'>
> = {
  borderFraction: 0.3,
  borderCut: 'rows',
  groupNorm: 'corrected',
  wire: 'fp32',
  age: 1,
};

/**
 * @throws PcppError `E_SIZE` if a side is no multiple of the model's downsampling or not what the graph was compiled for,
 *   `E_PARTITION` if there are more patches than units of rows, `E_OPTION` if a fraction or weight is out of range.
 */
export function planPatches(sites: GraphSites, options: PlanOptions): PatchPlan {
  const { height, width, batch, mode } = options;
  const borderFraction =
    mode === 'distrifusion' ? 1 : (options.borderFraction ?? planDefaults.borderFraction);
  const own = mode === 'pcpp' ? [...(options.borderFractions ?? [])] : [];
  const others = own.filter(([, fraction]) => fraction !== borderFraction);
  for (const fraction of [borderFraction, ...others.map(([, fraction]) => fraction)]) {
    if (fraction >= 0 && fraction <= 1) continue;
    throw new PcppError('E_OPTION', `border fraction ${fraction} is not within 0 and 1`);
  }
  checkSize('height', height, sites.downsampling);
  if ((sites.onlyHeight ?? height) !== height) {
    throw new PcppError(
      'E_SIZE',
      `the model was exported for latent height ${sites.onlyHeight}, and has tables for that alone, not for ${height}`,
    );
  }
  if (width !== sites.width || batch !== sites.batch) {
    throw new PcppError(
      'E_SIZE',
      `the graph was compiled for latent width ${sites.width} and batch ${sites.batch}, not ${width} and ${batch}`,
    );
  }
  const borderCut = options.borderCut ?? planDefaults.borderCut;
  const groupNorm = options.groupNorm ?? planDefaults.groupNorm;
  const bounds = boundsOf(height, sites.downsampling, options.patches);
  const wire = options.wire ?? planDefaults.wire;
  const age = options.age ?? planDefaults.age;
  const exceptions = others.length > 0 ? { borderFractions: Object.fromEntries(others) } : {};
  const apart = options.latentApart ? { latentApart: true as const } : {};
  const rules = { mode, borderFraction, ...exceptions, borderCut, groupNorm, wire, age, ...apart };
  const plan = { sites, height, width, batch, bounds, ...rules };
  return { ...plan, hash: createHash('sha256').update(JSON.stringify(plan)).digest('hex') };
}

/**
 * A plan by which nothing is ever stale or rounded, for graphs in stages: everyone hears of everything within the step.
 *
 * @throws PcppError as `planPatches`.
 */
export const planFresh = (
  sites: GraphSites,
  size: Pick<PlanOptions, 'height' | 'width' | 'batch' | 'patches'>,
): PatchPlan =>
  planPatches(sites, { ...size, mode: 'distrifusion', groupNorm: 'stale', wire: 'fp32' });

export const patchCount = (plan: PatchPlan): number => plan.bounds.length - 1;

/** Rows of every patch; as weights they give the same bounds again. */
export const rowsBetween = (bounds: readonly number[]): readonly number[] =>
  bounds.slice(1).map((end, patch) => end - bounds[patch]!);

/** Latent rows of one patch. */
export const rowsOf = (plan: PatchPlan, patch: number): number =>
  plan.bounds[patch + 1]! - plan.bounds[patch]!;

function boundsOf(height: number, unit: number, patches: number | readonly number[]): number[] {
  const weights = typeof patches === 'number' ? Array<number>(patches).fill(1) : patches;
  const units = height / unit;
  if (weights.length === 0 || weights.some((weight) => !(weight > 0 && Number.isFinite(weight)))) {
    throw new PcppError('E_OPTION', `patches need weights above 0, got [${weights}]`);
  }
  if (weights.length > units) {
    throw new PcppError(
      'E_PARTITION',
      `${weights.length} patches, but ${height} latent rows make only ${units} units of ${unit} rows; use at most ${units}`,
    );
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const bounds = [0];
  let sum = 0;
  for (const [patch, weight] of weights.entries()) {
    sum += weight;
    const left = weights.length - patch - 1;
    // Rounding the running sum keeps every share within one unit; each patch keeps at least one.
    const ideal = Math.round((sum / total) * units);
    const last = bounds[patch]! / unit;
    bounds.push(Math.min(Math.max(ideal, last + 1), units - left) * unit);
  }
  return bounds;
}
