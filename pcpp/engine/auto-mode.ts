/** Mode `auto`: what a request becomes on the devices of one pipeline. They are measured once for each size. */

import { nanoid } from 'nanoid';
import { hasCode, PcppError, type PcppErrorCode } from '../errors.js';
import type { Costs } from '../partition/cost.js';
import type { PatchPlan } from '../partition/plan.js';
import { type Choice, chooseWay } from '../partition/planner.js';
import { GenerationJob } from './generation-job.js';
import { type GenerationRequest, parseRequest } from './generation-request.js';
import type { GenerationSettings } from './generation-settings.js';
import { measureCosts } from './measure.js';
import { Paces } from './paces.js';
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
   * @param signal Ends measuring, if there is any.
   * @throws PcppError what is wrong with the request, or the error of a device.
   */
  async choose(
    request: GenerationRequest,
    devices: readonly Device[],
    signal?: AbortSignal,
  ): Promise<AutoChoice> {
    const parsed = parseRequest(request);
    const {
      mode: _,
      devices: most = devices.length,
      cfgParallel,
      cfgInterleaved,
      ...rest
    } = parsed;
    if (Array.isArray(rest.rowShares)) {
      throw new PcppError(
        'E_OPTION',
        'mode auto chooses how many patches there are: it cannot take a weight for each',
      );
    }
    if (rest.borderRules) {
      throw new PcppError(
        'E_OPTION',
        'mode auto chooses one border fraction: it cannot take borderRules',
      );
    }
    if (rest.warmup === 'patch') {
      throw new PcppError('E_OPTION', 'mode auto counts with whole-image steps: leave warmup out');
    }
    const alone = (why: string): AutoChoice => ({ request: { ...rest, mode: 'single' }, why });
    // Only to be refused if it asks for what cannot be.
    if (cfgInterleaved) await devices[0]!.prepare({ ...parsed, mode: 'pcpp' });
    const settings = await devices[0]!.prepare({ ...rest, mode: 'pcpp' });
    const available = Math.min(most, devices.length);
    if (available === 1) return alone('one device: there is no other');
    const periods = await orRefusal('E_GRAPH', devices[0]!.plan(settings, 1));
    if (typeof periods === 'string') return alone(`one device: ${periods}`);
    const { plan: whole } = periods[0];
    if (whole.height < 2 * whole.sites.downsampling) {
      return alone(`one device: ${whole.height} latent rows cannot be shared`);
    }
    const costs = await orRefusal(
      'E_PARTITION',
      this.#measure(request, settings, devices, whole, signal),
    );
    if (typeof costs === 'string') return alone(`one device: ${costs}`);
    const { evaluations: steps, warmupSteps, cooldownSteps } = settings;
    const { borderFraction, wire } = request;
    const choice = chooseWay(
      {
        whole,
        steps,
        warmupSteps,
        cooldownSteps,
        devices: available,
        ...(borderFraction === undefined ? {} : { borderFraction }),
        ...(wire === undefined ? {} : { wire }),
        ...(cfgParallel === undefined ? {} : { cfgParallel }),
        ...(cfgInterleaved === undefined ? {} : { cfgInterleaved }),
        late: settings.lateness !== undefined,
      },
      costs,
    );
    return { request: { ...rest, ...choice.way }, why: choice.why, choice };
  }

  /**
   * Costs of steps of this size, measured if they are not known, with one border fraction.
   *
   * @throws PcppError `E_GRAPH` if the model's graph cannot be split, or the error of a device.
   */
  async costs(request: GenerationRequest, devices: readonly Device[]): Promise<Costs> {
    const {
      mode: _,
      devices: __,
      cfgParallel: ___,
      borderRules: ____,
      cfgInterleaved: _____,
      ...rest
    } = parseRequest(request);
    const settings = await devices[0]!.prepare({ ...rest, mode: 'pcpp' });
    const periods = await devices[0]!.plan(settings, 1);
    return this.#measure(rest, settings, devices, periods[0].plan);
  }

  #measure(
    request: GenerationRequest,
    settings: GenerationSettings,
    devices: readonly Device[],
    whole: PatchPlan,
    signal?: AbortSignal,
  ): Promise<Costs> {
    const { width, height, batch } = whole;
    const key = [width, height, batch, settings.borderPayload].join(' ');
    let costs = this.#known.get(key);
    if (!costs) {
      const pair = devices.slice(0, 2);
      const options = signal ? { signal } : {};
      costs = measureCosts(
        devices,
        request,
        whole,
        (trial) =>
          new GenerationJob(nanoid(10), pair, this, new Paces(), trial, options, Promise.resolve())
            .result,
      );
      this.#known.set(key, costs);
      // An abort, for one, says nothing of the next time.
      costs.catch(() => this.#known.delete(key));
    }
    return costs;
  }
}

/** What was asked for, or why the image cannot be split: the text of an error with this code. */
async function orRefusal<T>(code: PcppErrorCode, asked: PromiseLike<T>): Promise<T | string> {
  try {
    return await asked;
  } catch (error) {
    if (hasCode(error, code)) return error.message;
    throw error;
  }
}
