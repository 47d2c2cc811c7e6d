/**
 * How long an image will take, from what was measured once and from the bytes of the plan. Arithmetic only: the planner asks
 * it about devices that are there, the simulator about those that are not.
 */

import type { Reach } from '../rewrite/reach.js';
import { forecastBytes, type Traffic } from './bytes.js';
import { type BorderAge, type PatchPlan, patchCount, rowsOf } from './plan.js';
import { halvedRows, stripsOf } from './strips.js';

/** Seconds by rows: a line, because a step has parts that do not shrink with its rows. */
export interface RowCost {
  /** Seconds of a step without rows. */
  readonly fixed: number;
  readonly perRow: number;
}

/** Of one device, for one model and size. */
export interface DeviceCost {
  /** Seconds of a warm-up step: the whole image by the patch graph. */
  readonly whole: number;
  /** Of a displaced step by the latent rows that the device owns, with reading and writing its messages. */
  readonly displaced: RowCost;
}

export interface LinkCost {
  /** Of one device, in each direction. */
  readonly bytesPerSecond: number;
  /** Seconds from one device to another that a message takes without its bytes. */
  readonly latency: number;
}

/** What guidance on two groups of devices costs: each has one entry of the batch. */
export interface HalfCost {
  /** Computing such a step, as a share of one with both entries. */
  readonly share: number;
  /** Seconds of a step beyond that, in which counterparts hear of each other. */
  readonly exchange: number;
}

/** Seconds to make pixels of the latent. */
export interface DecodeCost {
  /** On one device. */
  readonly whole: number;
  /** By the latent rows that a device reads, if every device decodes its own. Absent: one device decodes for all. */
  readonly strips?: { readonly cost: RowCost; readonly reach: Reach };
}

export interface Costs {
  /** Seconds until the prompt is encoded. */
  readonly encode: number;
  readonly decode: DecodeCost;
  /** Seconds of a step of the model's own graph, on one device that has the machine for itself. */
  readonly single: number;
  /** In the order in which devices get patches. */
  readonly devices: readonly DeviceCost[];
  readonly link: LinkCost;
  /** Seconds that a step with messages takes beyond computing and their way: passing them on, reports, disturbance. */
  readonly exchange: number;
  /** Absent without guidance, or where there is but one device. */
  readonly half?: HalfCost;
}

export interface Run {
  /** Absent: one device computes the whole image by the model's own graph. */
  readonly plan?: PatchPlan;
  /** Evaluations of the denoiser. */
  readonly steps: number;
  /** Of them, those on whole images at the start; not read without a plan. */
  readonly warmupSteps: number;
  /** The same before the last one; everybody's rows are gathered before each. @default 0 */
  readonly cooldownSteps?: number;
}

/** Seconds of an image and where they go. */
export interface TimeForecast {
  readonly total: number;
  /** Of all steps, without prompt, gathering and decoding. */
  readonly denoise: number;
  /** Of one step: displaced if there is a plan. */
  readonly step: number;
  /** Of that step: the slowest device's computing. */
  readonly compute: number;
  /** Of that step: the longest way of a device's borders, hidden or not. */
  readonly transfer: number;
}

/** The line through two measurements; level, or through the larger one alone, if they contradict that more rows take longer. */
export function rowCost(
  less: readonly [rows: number, seconds: number],
  more: readonly [rows: number, seconds: number],
): RowCost {
  const perRow = (more[1] - less[1]) / (more[0] - less[0]);
  if (!(perRow > 0)) return { fixed: Math.max(less[1], more[1]), perRow: 0 };
  const fixed = less[1] - perRow * less[0];
  return fixed >= 0 ? { fixed, perRow } : { fixed: 0, perRow: more[1] / more[0] };
}

export const secondsOfRows = ({ fixed, perRow }: RowCost, rows: number): number =>
  fixed + perRow * rows;

/**
 * Seconds between two displaced steps. A step's borders leave when it is done and are read `age` steps later: at age 1
 * their whole way is waited for, at age 2 there is a step to hide it in. No link sends faster than its rate for long.
 */
export const stepSeconds = (
  compute: number,
  transfer: number,
  age: BorderAge,
  busy: number,
): number => Math.max(compute, (compute + transfer) / age, busy);

/** @throws RangeError if the plan has more patches than costs have devices. */
export function forecastSeconds(run: Run, costs: Costs): TimeForecast {
  const { plan, steps } = run;
  const { encode, decode, single, link, exchange: more } = costs;
  if (!plan) {
    const denoise = steps * single;
    const total = encode + denoise + decode.whole;
    return { total, denoise, step: single, compute: single, transfer: 0 };
  }
  const patches = [...Array(patchCount(plan)).keys()];
  const devices = patches.map((patch) => costs.devices[patch]);
  const whole = Math.max(...devices.map((device) => known(device).whole));
  const compute = Math.max(
    ...devices.map((device, patch) => secondsOfRows(known(device).displaced, rowsOf(plan, patch))),
  );
  const bytes = forecastBytes(plan);
  const exchange = (traffic: Traffic): number => {
    const busy = busySeconds(traffic, link);
    return stepSeconds(compute + more, busy > 0 ? busy + link.latency : 0, plan.age, busy);
  };
  const step = exchange(bytes);
  const displaced = displacedSteps(run);
  const gathered = Math.min(run.cooldownSteps ?? 0, steps - displaced);
  // The displaced steps after whole-image ones find everyone's borders in their own run.
  const silent = Math.min(displaced, plan.age + (gathered > 0 ? 1 : 0));
  const exchanged = displaced - silent;
  const first = exchanged > 0 ? exchange(bytes.first) - step : 0;
  const denoise =
    (steps - displaced) * whole +
    gathered * (gatherSeconds(plan, link) + more) +
    silent * compute +
    exchanged * step +
    Math.max(0, first);
  const busy = busySeconds(bytes, link);
  const total = encode + denoise + gatherSeconds(plan, link) + decodeSeconds(plan, decode);
  return { total, denoise, step, compute, transfer: busy > 0 ? busy + link.latency : 0 };
}

/**
 * The same of two groups of devices, of which one has the entry of the prompt and the other that of the negative one. One
 * patch for each group is the whole image by the model's own graph.
 *
 * @param plan Of each group, for both entries: a message of one has half its bytes.
 */
export function forecastHalvedSeconds(
  run: Run & { readonly plan: PatchPlan },
  costs: Costs,
  half: HalfCost,
): TimeForecast {
  const { plan, steps } = run;
  const { share, exchange } = half;
  const decoded = decodeSeconds(halvedRows(plan.bounds), costs.decode);
  if (patchCount(plan) === 1) {
    const compute = share * costs.single;
    const step = compute + exchange;
    const denoise = steps * step;
    const total = costs.encode + denoise + decoded;
    return { total, denoise, step, compute, transfer: 0 };
  }
  const halved: Costs = {
    ...costs,
    exchange: costs.exchange + exchange,
    devices: costs.devices.map(({ whole, displaced: { fixed, perRow } }) => ({
      whole: share * whole + exchange,
      displaced: { fixed: share * fixed, perRow: share * perRow },
    })),
    link: { ...costs.link, bytesPerSecond: 2 * costs.link.bytesPerSecond },
  };
  const forecast = forecastSeconds(run, halved);
  const total = forecast.total - decodeSeconds(plan, costs.decode) + decoded;
  return { ...forecast, total };
}

/**
 * The same where every device runs the two entries of guidance in turns, at age 1: an entry's borders have the other's
 * computing to travel in. What is always waited for is one small message, the latent's rows.
 *
 * @param plan For both entries: a message of one has half its bytes.
 * @param share Of a step with both entries, computing one.
 */
export function forecastTurnsSeconds(
  run: Run & { readonly plan: PatchPlan },
  costs: Costs,
  share: number,
): TimeForecast {
  const together = forecastSeconds(run, costs);
  const { latency } = costs.link;
  const entry = share * together.compute;
  const busy = Math.max(0, together.transfer - latency);
  const compute = 2 * entry;
  const way = busy / 2 + latency;
  const step = Math.max(compute + latency, entry + latency + way, busy) + costs.exchange;
  const displaced = displacedSteps(run);
  const silent = Math.min(displaced, run.cooldownSteps ? 2 : 1);
  const exchanged = displaced - silent;
  const longer =
    exchanged * (step - together.step) +
    silent * (compute - together.compute) +
    (run.steps - displaced) * (2 * share - 1) * wholeSeconds(costs, run.plan);
  const [total, denoise] = [together.total + longer, together.denoise + longer];
  return { total, denoise, step, compute, transfer: together.transfer };
}

const displacedSteps = ({ steps, warmupSteps, cooldownSteps = 0 }: Run): number =>
  Math.max(0, steps - warmupSteps - cooldownSteps);

const wholeSeconds = (costs: Costs, plan: PatchPlan): number =>
  Math.max(...costs.devices.slice(0, patchCount(plan)).map(({ whole }) => whole));

/** The slowest device decodes the most rows. */
export function decodeSeconds(
  { bounds }: Pick<PatchPlan, 'bounds'>,
  { whole, strips }: DecodeCost,
): number {
  if (!strips) return whole;
  const { cost, reach } = strips;
  return Math.max(
    ...stripsOf(reach, bounds).map(({ reads: [from, to] }) => secondsOfRows(cost, to - from)),
  );
}

function known(device: DeviceCost | undefined): DeviceCost {
  if (device) return device;
  throw new RangeError('there are more patches than devices with known costs');
}

/** Of the busiest device, which sends and receives at the same time. */
function busySeconds({ sent, received }: Traffic, { bytesPerSecond }: LinkCost): number {
  return Math.max(...sent, ...received) / bytesPerSecond;
}

/** Everyone's latent rows go to one device, in float32. */
function gatherSeconds(plan: PatchPlan, { bytesPerSecond, latency }: LinkCost): number {
  const bytes = 4 * plan.sites.channels * plan.height * plan.width;
  return bytes / bytesPerSecond + latency;
}
