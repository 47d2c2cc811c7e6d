/** Mode `auto`: what a request becomes on the devices of one pipeline. They are measured once for each size. */

import { nanoid } from 'nanoid';
import type { Costs } from '../partition/cost.js';
import type { PatchPlan } from '../partition/plan.js';
import { type Choice, chooseWay } from '../partition/planner.js';
import { GenerationJob } from './generation-job.js';
import type { GenerationRequest } from './generation-request.js';
import type { GenerationSettings } from './generation-settings.js';
import { measureCosts } from './measure.js';
import type { Device } from './pipeline.js';

export interface AutoChoice {
  /** The request that gives the same image without `auto`. */
  readonly request: GenerationRequest;
  /** In one line. */
  readonly why: string;
  /** Absent where there was nothing to choose, so nothing was measured. */
  readonly choice?: Choice;
}

export class AutoMode {
  readonly #known = new Map<string, Promise<Costs>>();

  /**
   * @param devices All of the pipeline's. Of them `request.devices` may be taken, at most.
   * @throws PcppError what is wrong with the request, or the error of a device.
   */
  async choose(request: GenerationRequest, devices: readonly Device[]): Promise<AutoChoice> {
    const { mode: _, devices: most = devices.length, ...rest } = request;
    const alone = (why: string): AutoChoice => ({ request: { ...rest, mode: 'single' }, why });
    const settings = await devices[0]!.prepare({ ...rest, mode: 'pcpp' });
    const available = Math.min(most, devices.length);
    if (available === 1) return alone('one device: there is no other');
    const whole = await wholeOrRefusal(devices[0]!, settings);
    if (typeof whole === 'string') return alone(`one device: ${whole}`);
    if (whole.height < 2 * whole.sites.downsampling) {
      return alone(`one device: ${whole.height} latent rows cannot be shared`);
    }
    const costs = await this.#measure(request, settings, devices, whole);
    const { evaluations: steps, warmupSteps } = settings;
    const { borderFraction, wire } = request;
    const choice = chooseWay(
      {
        whole,
        steps,
        warmupSteps,
        devices: available,
        ...(borderFraction === undefined ? {} : { borderFraction }),
        ...(wire === undefined ? {} : { wire }),
      },
      costs,
    );
    return { request: { ...rest, ...choice.way }, why: choice.why, choice };
  }

  /**
   * Costs of steps of this size, measured if they are not known.
   *
   * @throws PcppError `E_GRAPH` if the model's graph cannot be split, or the error of a device.
   */
  async costs(request: GenerationRequest, devices: readonly Device[]): Promise<Costs> {
    const { mode: _, devices: __, ...rest } = request;
    const settings = await devices[0]!.prepare({ ...rest, mode: 'pcpp' });
    const whole = await devices[0]!.plan(settings, 1);
    return this.#measure(request, settings, devices, whole);
  }

  #measure(
    request: GenerationRequest,
    settings: GenerationSettings,
    devices: readonly Device[],
    whole: PatchPlan,
  ): Promise<Costs> {
    const { width, height, batch } = whole;
    const key = [width, height, batch, settings.borderPayload].join(' ');
    let costs = this.#known.get(key);
    if (!costs) {
      const pair = devices.slice(0, 2);
      costs = measureCosts(
        devices,
        request,
        whole,
        (trial) => new GenerationJob(nanoid(10), pair, this, trial, {}, Promise.resolve()).result,
      );
      this.#known.set(key, costs);
      // An abort, for one, says nothing of the next time.
      costs.catch(() => this.#known.delete(key));
    }
    return costs;
  }
}

/** The image as one patch, or why it cannot be split. */
async function wholeOrRefusal(
  device: Device,
  settings: GenerationSettings,
): Promise<PatchPlan | string> {
  try {
    return await device.plan(settings, 1);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'E_GRAPH') {
      return error.message;
    }
    throw error;
  }
}
