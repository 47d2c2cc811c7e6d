/** What a plan will send, before anything runs. */

import type { Site } from '../rewrite/sites.js';
import { borderBytes } from './manifest.js';
import { type PatchPlan, patchCount } from './plan.js';

export interface Traffic {
  /** Payload bytes that each patch sends after one displaced step. */
  readonly sent: readonly number[];
  /** Payload bytes that each patch receives. */
  readonly received: readonly number[];
  readonly total: number;
}

export interface Forecast extends Traffic {
  /** The same plan with every patch attending every other, as DistriFusion does. */
  readonly distrifusion: Traffic;
  /** Share of DistriFusion's bytes that is saved, 0..1. */
  readonly saving: number;
}

/** @returns Bytes per displaced step in float32. */
export function forecastBytes(plan: PatchPlan): Forecast {
  const own = trafficOf(plan);
  const distrifusion = trafficOf(asDistrifusion(plan));
  const saving = distrifusion.total === 0 ? 0 : 1 - own.total / distrifusion.total;
  return { ...own, distrifusion, saving };
}

/** Whole patches to everybody, as keys and values whatever travels here. */
export function asDistrifusion(plan: PatchPlan): PatchPlan {
  const borders = plan.sites.borders.map((site): Site => {
    if (site.kind === 'conv') return site;
    const { keysAndValues } = site;
    return { ...site, payload: 'kv', size: 1, outer: keysAndValues, outers: [keysAndValues] };
  });
  const sites = { ...plan.sites, borders };
  return { ...plan, sites, mode: 'distrifusion', borderFraction: 1 };
}

function trafficOf(plan: PatchPlan): Traffic {
  const patches = [...Array(patchCount(plan)).keys()];
  const bytes = (from: number, to: number): number =>
    from === to ? 0 : borderBytes(plan, from, to);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const sent = patches.map((from) => sum(patches.map((to) => bytes(from, to))));
  const received = patches.map((to) => sum(patches.map((from) => bytes(from, to))));
  return { sent, received, total: sum(sent) };
}
