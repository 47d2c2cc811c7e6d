/** Fleets that are not here: the planner's cost model over numbers of equal devices. */

import type { GraphSites } from '../rewrite/sites.js';
import { asDistrifusion, publishedDistrifusion } from './bytes.js';
import {
  type Costs,
  type DeviceCost,
  decodeSeconds,
  forecastHalvedSeconds,
  forecastSeconds,
  forecastTurnsSeconds,
  type Run,
  secondsOfRows,
} from './cost.js';
import { type PatchPlan, type PlanOptions, planPatches } from './plan.js';

/** Costs of any number of devices that are all the same. */
export interface Fleet extends Omit<Costs, 'devices'> {
  readonly device: DeviceCost;
}

export interface SimulatedImage {
  readonly steps: number;
  readonly warmupSteps: number;
  /** DistriFusion as published has none. @default 0 */
  readonly cooldownSteps?: number;
  /** Of mode pcpp; the number of patches is that of the devices. */
  readonly plan: Omit<PlanOptions, 'patches' | 'mode'>;
}

/** Seconds of an image. */
export interface Simulated {
  readonly devices: number;
  readonly single: number;
  readonly pcpp: number;
  /** The same with guidance on two groups of devices; absent without guidance, or if the devices cannot be halved. */
  readonly grouped?: number;
  /** The same with guidance in turns on every device; absent without guidance, or at another age than 1. */
  readonly interleaved?: number;
  /** Mode `distrifusion` as it runs here: one message a step, whose way is waited for at age 1. */
  readonly distrifusion: number;
  /**
   * DistriFusion as published: an all-gather layer by layer, each with a whole step to hide in. Only what does not fit into
   * a step is waited for.
   */
  readonly published: number;
}

/** @throws PcppError `E_PARTITION` if the image has too few rows for so many devices. */
export function simulate(
  sites: GraphSites,
  { device, ...rest }: Fleet,
  { plan: rules, ...run }: SimulatedImage,
  devices: number,
): Simulated {
  const costs: Costs = { ...rest, devices: Array.from({ length: devices }, () => device) };
  const { steps, warmupSteps } = run;
  const single = forecastSeconds(run, costs).total;
  if (devices === 1)
    return { devices, single, pcpp: single, distrifusion: single, published: single };
  const plan = planPatches(sites, { ...rules, patches: devices, mode: 'pcpp' });
  const pcpp = forecastSeconds({ ...run, plan }, costs);
  const distrifusion = forecastSeconds({ ...run, plan: asDistrifusion(plan) }, costs);
  const gathered = Math.max(...publishedDistrifusion(plan)) / costs.link.bytesPerSecond;
  const published =
    rest.encode +
    warmupSteps * device.whole +
    (steps - warmupSteps) * Math.max(pcpp.compute, gathered) +
    decodeSeconds(plan, rest.decode);
  const turns =
    plan.batch === 2 && plan.age === 1
      ? {
          interleaved: forecastTurnsSeconds({ ...run, plan }, costs, shareOfEntry(device, plan))
            .total,
        }
      : {};
  const canHalve = plan.batch === 2 && devices % 2 === 0;
  const grouped = canHalve ? groupedSeconds(sites, costs, device, { ...run, rules }, devices) : {};
  return {
    devices,
    single,
    pcpp: pcpp.total,
    ...grouped,
    ...turns,
    distrifusion: distrifusion.total,
    published,
  };
}

/** Half a batch is taken to cost what half the rows do. */
const shareOfEntry = ({ displaced }: DeviceCost, { height }: PatchPlan): number =>
  secondsOfRows(displaced, height / 2) / secondsOfRows(displaced, height);

function groupedSeconds(
  sites: GraphSites,
  costs: Costs,
  device: DeviceCost,
  { rules, ...run }: Run & { readonly rules: SimulatedImage['plan'] },
  devices: number,
): { readonly grouped: number } {
  const plan = planPatches(sites, { ...rules, patches: devices / 2, mode: 'pcpp' });
  const { height, width } = plan;
  const share = shareOfEntry(device, plan);
  const { bytesPerSecond, latency } = costs.link;
  const output = (4 * sites.channels * height * width) / (devices / 2);
  const half = { share, exchange: latency + output / bytesPerSecond };
  return { grouped: forecastHalvedSeconds({ ...run, plan }, costs, half).total };
}
