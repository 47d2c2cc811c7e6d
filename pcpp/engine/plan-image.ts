/** How an image is split, as its settings say: the same on every device, because all of them derive it. */

import { layersOf, type PlanPeriods, planPeriods } from '../partition/border-rules.js';
import { planFresh } from '../partition/plan.js';
import type { PatchGraphShape } from '../rewrite/compile.js';
import type { GraphSites } from '../rewrite/sites.js';
import type { GenerationSettings } from './generation-settings.js';
import { isGuided } from './guidance.js';
import { cooldownStart, wholeSteps } from './step-kind.js';

/** What the model's graph is compiled for. */
export function shapeOf(settings: GenerationSettings): PatchGraphShape {
  const { guidanceScale, latent, borderPayload: payload, borderRules } = settings;
  const { height, width } = latent;
  const isApart = settings.cfgParallel || settings.cfgInterleaved;
  const batch = isGuided(guidanceScale) && !isApart ? 2 : 1;
  return { height, width, batch, payload, layers: layersOf(borderRules) };
}

/**
 * @param sites Of a graph that was compiled for this shape, in stages for mode `sync`.
 * @param patches How many, or a weight for each.
 * @throws PcppError as `planPeriods`.
 */
export function planImage(
  sites: GraphSites,
  settings: GenerationSettings,
  patches: number | readonly number[],
): PlanPeriods {
  const { height, width, batch } = shapeOf(settings);
  const size = { height, width, batch, patches };
  if (settings.mode === 'sync') return [{ from: 0, plan: planFresh(sites, size) }];
  const { borderFraction, borderCut, groupNorm, borderAge: age, wire, borderRules } = settings;
  const latentApart = settings.cfgInterleaved;
  const mode = settings.mode === 'pcpp' ? 'pcpp' : 'distrifusion';
  const options = {
    ...size,
    mode,
    borderFraction,
    borderCut,
    groupNorm,
    wire,
    age,
    latentApart,
  } as const;
  // From the cool-down on nobody reads borders.
  const steps = { warmupSteps: wholeSteps(settings), evaluations: cooldownStart(settings) };
  return planPeriods(sites, options, steps, borderRules);
}
