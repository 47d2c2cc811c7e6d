/** Which devices, border fraction and wire make an image soonest, and why. Pure: costs in, a choice with its reason out. */

import { hasCode } from '../errors.js';
import { type Costs, forecastSeconds, type Run, type TimeForecast } from './cost.js';
import { type PatchPlan, planPatches } from './plan.js';
import type { Wire } from './wire.js';

/** What a user would write to get the same. */
export type Way =
  | { readonly mode: 'single' }
  | {
      readonly mode: 'pcpp';
      readonly devices: number;
      readonly borderFraction: number;
      readonly wire: Wire;
    };

export interface Candidate {
  readonly way: Way;
  readonly forecast: TimeForecast;
}

export interface Choice extends Candidate {
  /** In one line: what was chosen, and the forecasts of what was not. */
  readonly why: string;
  /** The best of each other number of devices, fewest first. */
  readonly others: readonly Candidate[];
}

interface Preset {
  readonly borderFraction: number;
  readonly wire: Wire;
}

/** From the most faithful to the one with the fewest bytes (docs/fidelity.md). */
export const presets: readonly Preset[] = [
  { borderFraction: 0.3, wire: 'fp16' },
  { borderFraction: 0.3, wire: 'int8' },
  { borderFraction: 0.1, wire: 'int8' },
  { borderFraction: 0.1, wire: 'residual-int4' },
];

/** A way that is less faithful, or takes more devices, has to be faster by more than this share. */
export const leastGain = 0.03;

export interface PlannerInput {
  /** The image as one patch: size, cut and age of all plans that are tried. */
  readonly whole: PatchPlan;
  readonly steps: number;
  readonly warmupSteps: number;
  /** Devices that may be taken. */
  readonly devices: number;
  /** Fixed by the user. @default chosen */
  readonly borderFraction?: number;
  /** Fixed by the user. @default chosen */
  readonly wire?: Wire;
}

export function chooseWay(input: PlannerInput, costs: Costs): Choice {
  const candidates = candidatesOf(input, costs);
  const chosen = preferred(candidates);
  const others = [...Array(input.devices).keys()]
    .map((index) => index + 1)
    .filter((devices) => devices !== devicesOf(chosen.way))
    .flatMap((devices) => {
      const same = candidates.filter(({ way }) => devicesOf(way) === devices);
      return same.length > 0 ? [preferred(same)] : [];
    });
  return { ...chosen, others, why: explain(chosen, others) };
}

/** @param candidates At least one, the most welcome first. */
function preferred(candidates: readonly Candidate[]): Candidate {
  const least = Math.min(...candidates.map(({ forecast }) => forecast.total));
  return candidates.find(({ forecast }) => forecast.total <= least * (1 + leastGain))!;
}

export const devicesOf = (way: Way): number => (way.mode === 'single' ? 1 : way.devices);

const sooner = (a: Candidate, b: Candidate): Candidate =>
  b.forecast.total < a.forecast.total ? b : a;

/** Most faithful first, then fewest devices. */
function candidatesOf(input: PlannerInput, costs: Costs): readonly Candidate[] {
  const { steps, warmupSteps, devices } = input;
  const run: Run = { steps, warmupSteps };
  const single: Candidate = { way: { mode: 'single' }, forecast: forecastSeconds(run, costs) };
  const shared = presetsFor(input).flatMap(({ borderFraction, wire }) =>
    Array.from({ length: Math.max(0, devices - 1) }, (_, index): Candidate[] => {
      const way = { mode: 'pcpp', devices: index + 2, borderFraction, wire } as const;
      const candidate = candidateOf(input.whole, way, run, costs);
      return candidate ? [candidate] : [];
    }).flat(),
  );
  return [single, ...shared];
}

/** @returns undefined if the image has too few rows for so many devices, or for what the model's convolutions reach. */
function candidateOf(
  whole: PatchPlan,
  way: Extract<Way, { mode: 'pcpp' }>,
  run: Run,
  costs: Costs,
): Candidate | undefined {
  try {
    return { way, forecast: forecastSeconds({ ...run, plan: planFor(whole, way) }, costs) };
  } catch (error) {
    if (hasCode(error, 'E_PARTITION')) return undefined;
    throw error;
  }
}

/** What the user fixed replaces what a preset says; presets that differ in nothing else are one. */
function presetsFor({ borderFraction, wire }: PlannerInput): readonly Preset[] {
  const fixed = presets.map((preset) => ({
    borderFraction: borderFraction ?? preset.borderFraction,
    wire: wire ?? preset.wire,
  }));
  const texts = fixed.map((preset) => JSON.stringify(preset));
  return fixed.filter((_, index) => texts.indexOf(texts[index]!) === index);
}

function planFor(
  { sites, height, width, batch, borderCut, age }: PatchPlan,
  { devices: patches, borderFraction, wire }: Extract<Way, { mode: 'pcpp' }>,
): PatchPlan {
  const mode = 'pcpp';
  const rules = { mode, borderFraction, borderCut, wire, age } as const;
  return planPatches(sites, { height, width, batch, patches, ...rules });
}

function explain(chosen: Candidate, others: readonly Candidate[]): string {
  const seconds = ({ forecast }: Candidate): string => `${forecast.total.toFixed(2)} s`;
  const rest = others.map((other) => `${nameOf(other.way)} ${seconds(other)}`).join(', ');
  if (others.length === 0) return `${nameOf(chosen.way)}, ${seconds(chosen)} forecast`;
  if (chosen.way.mode !== 'single') {
    return `${nameOf(chosen.way)}: ${seconds(chosen)} forecast; ${rest}`;
  }
  const isFaster = others.every(({ forecast }) => chosen.forecast.total < forecast.total);
  const verdict = isFaster ? 'is faster' : 'is as fast';
  return `one device ${verdict}: ${seconds(chosen)} forecast; ${rest}${reasonOf(others)}`;
}

function nameOf(way: Way): string {
  if (way.mode === 'single') return 'one device';
  return `pcpp on ${way.devices} devices, border ${way.borderFraction}, ${way.wire}`;
}

/** What the best of the others spends its steps with. */
function reasonOf(others: readonly Candidate[]): string {
  const { compute, transfer } = others.reduce(sooner).forecast;
  const ms = (seconds: number): string => `${(1000 * seconds).toFixed(0)} ms`;
  return ` (a displaced step computes ${ms(compute)}, its borders travel ${ms(transfer)})`;
}
