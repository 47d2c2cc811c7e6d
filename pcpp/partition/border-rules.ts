/** Another border fraction for some layers or some steps of an image. Pure data. */

import { PcppError } from '../errors.js';
import type { GraphSites, Site } from '../rewrite/sites.js';
import { type PatchPlan, type PlanOptions, planPatches } from './plan.js';

export interface BorderRule {
  /** Share of a direct neighbour's rows that is attended, 0..1. */
  readonly borderFraction: number;
  /** Part of the name of attention operators, with `*` for any characters: `up_blocks.*attn1`. @default all of them */
  readonly layers?: string;
  /** Denoiser evaluations [from, to), 0-based, that read such borders. @default all of them */
  readonly steps?: readonly [from: number, to: number];
}

/** The plan by which borders are laid out that are read in the steps from `from` on, until the next period begins. */
export interface PlanPeriod {
  readonly from: number;
  readonly plan: PatchPlan;
}

/** Of an image: at least one, in order. */
export type PlanPeriods = readonly [PlanPeriod, ...PlanPeriod[]];

/** What tells layers apart in these rules: the operators of one site match the same of them. */
export const layersOf = (rules: readonly BorderRule[] = []): readonly string[] => [
  ...new Set(rules.flatMap(({ layers }) => layers ?? [])),
];

/** Steps of an image of which the first are whole-image ones, and none that comes after them reads borders. */
export interface DisplacedSteps {
  readonly warmupSteps: number;
  readonly evaluations: number;
}

/**
 * Plans of all displaced steps, in order; the first from the first of them on. A change comes into force with the first
 * message: the first `age` displaced steps read what the last whole-image step has cut, by one plan.
 *
 * @param rules Where several hold, the last one does. Other modes than `pcpp` have none.
 * @throws PcppError as `planPatches`, and `E_OPTION` if no attention of the graph has a name that is asked for.
 */
export function planPeriods(
  sites: GraphSites,
  options: PlanOptions,
  { warmupSteps, evaluations }: DisplacedSteps,
  rules: readonly BorderRule[] = [],
): PlanPeriods {
  for (const layers of layersOf(rules)) requireLayers(sites, layers);
  const plan = planPatches(sites, options);
  const told = warmupSteps + plan.age;
  const turns = rules
    .flatMap(({ steps }) => steps ?? [])
    .map((step) => (step <= warmupSteps ? 0 : Math.max(step, told)));
  const starts = [...new Set(turns)].filter((step) => step > 0 && step < evaluations);
  const planFrom = (from: number): PlanPeriod => {
    const borderFractions = fractionsAt(sites, rules, from);
    return { from, plan: planPatches(sites, { ...options, borderFractions }) };
  };
  const periods: [PlanPeriod, ...PlanPeriod[]] = [planFrom(warmupSteps)];
  for (const next of starts.sort((a, b) => a - b).map(planFrom)) {
    if (next.plan.hash !== periods.at(-1)?.plan.hash) periods.push(next);
  }
  return periods;
}

/** @param periods At least one, in order. @returns The one that borders read in this step follow. */
export const periodAt = <Period extends Pick<PlanPeriod, 'from'>>(
  periods: readonly Period[],
  step: number,
): Period => periods.findLast(({ from }) => from <= step) ?? periods[0]!;

/** By site. */
function fractionsAt(
  { borders }: GraphSites,
  rules: readonly BorderRule[],
  step: number,
): ReadonlyMap<number, number> {
  const holds = ({ steps }: BorderRule): boolean => !steps || (steps[0] <= step && step < steps[1]);
  return new Map(
    borders.flatMap((site) => {
      const rule = rules.findLast((other) => holds(other) && isMeant(site, other));
      return site.kind === 'attention' && rule ? [[site.id, rule.borderFraction] as const] : [];
    }),
  );
}

const isMeant = (site: Site, { layers }: BorderRule): boolean =>
  layers === undefined || (site.kind === 'attention' && (site.layers ?? []).includes(layers));

function requireLayers({ borders }: GraphSites, layers: string): void {
  const attentions = borders.filter((site) => site.kind === 'attention');
  if (attentions.some((site) => site.layers?.includes(layers))) return;
  const names = attentions.flatMap(({ nodes }) => nodes);
  throw new PcppError(
    'E_OPTION',
    `no attention of this model has "${layers}" in its name; there are ${names.slice(0, 4).join(', ')}${names.length > 4 ? ' and more: patchbay model inspect --operators' : ''}`,
  );
}
