/** Which devices, border fraction and wire make an image soonest, and why. Pure: costs in, a choice with its reason out. */

import { hasCode } from '../errors.js';
import {
  type Costs,
  forecastHalvedSeconds,
  forecastSeconds,
  forecastTurnsSeconds,
  type Run,
  type TimeForecast,
} from './cost.js';
import { type PatchPlan, planPatches } from './plan.js';
import type { Wire } from './wire.js';

/** What a user would write to get the same. */
export type Way =
  | { readonly mode: 'single' }
  /** Each device computes the whole image for one of the prompts. */
  | { readonly mode: 'single'; readonly cfgParallel: true; readonly devices: 2 }
  | PatchWay;

interface PatchWay {
  readonly mode: 'pcpp';
  /** Of both groups, where guidance is on two. */
  readonly devices: number;
  readonly borderFraction: number;
  readonly wire: Wire;
  readonly cfgParallel?: true;
  readonly cfgInterleaved?: true;
}

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
  /** @default 0 */
  readonly cooldownSteps?: number;
  /** Devices that may be taken. */
  readonly devices: number;
  /** Fixed by the user. @default chosen */
  readonly borderFraction?: number;
  /** Fixed by the user. @default chosen */
  readonly wire?: Wire;
  /** Fixed by the user. @default chosen */
  readonly cfgParallel?: boolean;
  /** Fixed by the user. @default chosen */
  readonly cfgInterleaved?: boolean;
  /** Borders that are late are not waited for, as groups of patches and guidance in turns would have to. @default false */
  readonly late?: boolean;
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

export const devicesOf = (way: Way): number => ('devices' in way ? way.devices : 1);

const sooner = (a: Candidate, b: Candidate): Candidate =>
  b.forecast.total < a.forecast.total ? b : a;

/**
 * Most faithful first, then fewest devices. Guidance on two groups changes nothing, and leaves fewer patches; guidance in turns
 * changes nothing either, and takes more computing to hide what a slow link takes.
 */
function candidatesOf(input: PlannerInput, costs: Costs): readonly Candidate[] {
  const { whole, steps, warmupSteps, cooldownSteps = 0, devices, late = false } = input;
  const run: Run = { steps, warmupSteps, cooldownSteps };
  const single: Candidate = { way: { mode: 'single' }, forecast: forecastSeconds(run, costs) };
  const { half } = costs;
  const mayPart = half !== undefined && whole.age === 1 && !late;
  const halved: Candidate[] =
    half && devices > 1
      ? [
          {
            way: { mode: 'single', cfgParallel: true, devices: 2 },
            forecast: forecastHalvedSeconds({ ...run, plan: whole }, costs, half),
          },
        ]
      : [];
  const shared = presetsFor(input).flatMap(({ borderFraction, wire }) => {
    const preset = { mode: 'pcpp', borderFraction, wire } as const;
    const counts = Array.from({ length: Math.max(0, devices - 1) }, (_, index) => index + 2);
    const plain = counts.map((count): PatchWay => ({ ...preset, devices: count }));
    const parted = mayPart ? plain : [];
    const grouped = parted
      .filter((way) => way.devices >= 4 && way.devices % 2 === 0)
      .map((way): PatchWay => ({ ...way, cfgParallel: true }));
    const turns = parted.map((way): PatchWay => ({ ...way, cfgInterleaved: true }));
    return [...grouped, ...plain, ...turns].flatMap(
      (way) => candidateOf(whole, way, run, costs) ?? [],
    );
  });
  const all = [single, ...halved, ...shared];
  const wanted = all.filter(({ way }) =>
    (['cfgParallel', 'cfgInterleaved'] as const).every(
      (name) => input[name] === undefined || input[name] === name in way,
    ),
  );
  return wanted.length > 0 ? wanted : [single];
}

/** @returns undefined if the image has too few rows for so many devices, or for what the model's convolutions reach. */
function candidateOf(
  whole: PatchPlan,
  way: PatchWay,
  run: Run,
  costs: Costs,
): Candidate | undefined {
  try {
    const plan = planFor(whole, way);
    const forecast = forecastOf(way, { ...run, plan }, costs);
    return { way, forecast };
  } catch (error) {
    if (hasCode(error, 'E_PARTITION')) return undefined;
    throw error;
  }
}

function forecastOf(
  { cfgParallel, cfgInterleaved }: PatchWay,
  run: Run & { readonly plan: PatchPlan },
  costs: Costs,
): TimeForecast {
  const { half } = costs;
  if (half && cfgParallel) return forecastHalvedSeconds(run, costs, half);
  if (half && cfgInterleaved) return forecastTurnsSeconds(run, costs, half.share);
  return forecastSeconds(run, costs);
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
  { devices, borderFraction, wire, cfgParallel }: PatchWay,
): PatchPlan {
  const mode = 'pcpp';
  const patches = cfgParallel ? devices / 2 : devices;
  const rules = { mode, borderFraction, borderCut, wire, age } as const;
  return planPatches(sites, { height, width, batch, patches, ...rules });
}

function explain(chosen: Candidate, others: readonly Candidate[]): string {
  const seconds = ({ forecast }: Candidate): string => `${forecast.total.toFixed(2)} s`;
  const rest = others.map((other) => `${nameOf(other.way)} ${seconds(other)}`).join(', ');
  if (others.length === 0) return `${nameOf(chosen.way)}, ${seconds(chosen)} forecast`;
  if (devicesOf(chosen.way) > 1) {
    return `${nameOf(chosen.way)}: ${seconds(chosen)} forecast; ${rest}`;
  }
  const isFaster = others.every(({ forecast }) => chosen.forecast.total < forecast.total);
  const verdict = isFaster ? 'is faster' : 'is as fast';
  return `one device ${verdict}: ${seconds(chosen)} forecast; ${rest}${reasonOf(others)}`;
}

/** As texts show it. */
export function nameOf(way: Way): string {
  if (way.mode === 'single') {
    return 'devices' in way ? 'guidance on two devices' : 'one device';
  }
  const guidance = way.cfgParallel
    ? 'guidance in two groups, '
    : way.cfgInterleaved
      ? 'guidance in turns, '
      : '';
  return `pcpp on ${way.devices} devices, ${guidance}border ${way.borderFraction}, ${way.wire}`;
}

/** What the best of the others spends its steps with. */
function reasonOf(others: readonly Candidate[]): string {
  const { compute, transfer } = others.reduce(sooner).forecast;
  const ms = (seconds: number): string => `${(1000 * seconds).toFixed(0)} ms`;
  return ` (a displaced step computes ${ms(compute)}, its borders travel ${ms(transfer)})`;
}
