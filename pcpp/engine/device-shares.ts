/** What a device computes for each kind of job, made of its model; and trials of the same, to measure them. */

import { Session } from '../onnx/session.js';
import type { PlanPeriods } from '../partition/border-rules.js';
import type { Sampler } from '../samplers/sampler.js';
import { type Conditioning, halfOf } from '../text/encode-prompt.js';
import type { DenoiseJob } from './denoise-job.js';
import { DenoisePatch } from './denoise-patch.js';
import type { DeviceModel } from './device-model.js';
import type { GenerationSettings } from './generation-settings.js';
import { GuidedHalf, halfPlace } from './guided-half.js';
import { GuidedTurns } from './guided-turns.js';
import { planImage, shapeOf } from './plan-image.js';
import { samplerOf } from './sampler-of.js';
import type { Denoising, Share } from './share.js';
import { SingleDevice } from './single-device.js';
import { SyncPatch } from './sync-patch.js';
import { type StepTimes, timePatchSteps, timeRuns, trialWarmup } from './time-steps.js';

export class DeviceShares {
  readonly #device: DeviceModel;

  constructor(device: DeviceModel) {
    this.#device = device;
  }

  /**
   * How the image is split, and what borders are in which steps.
   *
   * @param patches How many, or a weight for each.
   * @throws PcppError `E_GRAPH` if the model's graph cannot be split, `E_PARTITION` if there are too many patches.
   */
  async plan(
    settings: GenerationSettings,
    patches: number | readonly number[],
  ): Promise<PlanPeriods> {
    const shape = shapeOf(settings);
    const { sites } =
      settings.mode === 'sync'
        ? await this.#device.stagedGraph(shape)
        : await this.#device.patchGraph(shape);
    return planImage(sites, settings, patches);
  }

  /** The share of device number `device`. @throws PcppError as `plan`, and `E_SESSION`. */
  async of(job: DenoiseJob, device: number): Promise<Share> {
    const { settings, rows } = job;
    const { guidanceScale, cfgParallel, cfgInterleaved } = settings;
    if (cfgParallel) {
      const place = halfPlace(device, rows.length);
      const half = entryOf(job, place.isNegative ? 0 : 1);
      return new GuidedHalf(await this.#alone(half, device - place.first), place, guidanceScale);
    }
    if (!cfgInterleaved || rows.length === 1) return this.#alone(job, device);
    const negative = await this.#patch(entryOf(job, 0), device);
    const positive = await this.#patch(entryOf(job, 1), device);
    return new GuidedTurns(positive, negative, guidanceScale);
  }

  /** Without a counterpart. */
  async #alone(job: DenoiseJob, patch: number): Promise<Denoising> {
    const { settings, conditioning, rows, image } = job;
    if (rows.length === 1) {
      const session = await this.#device.model.denoiser();
      const sampler = this.#sampler(settings);
      return new SingleDevice(session, sampler, settings, conditioning, image ? { image } : {});
    }
    if (settings.mode !== 'sync') return this.#patch(job, patch);
    const [{ plan }] = await this.plan(settings, rows);
    const staged = await this.#device.stagedDenoiser(shapeOf(settings), plan, patch);
    return new SyncPatch(staged, this.#sampler(settings), settings, conditioning, image);
  }

  async #patch(job: DenoiseJob, patch: number): Promise<DenoisePatch> {
    const { settings, conditioning, rows, image } = job;
    const periods = await this.plan(settings, rows);
    const denoiser = await this.#device.denoiser(shapeOf(settings), periods[0].plan, patch);
    const sampler = this.#sampler(settings);
    return new DenoisePatch(denoiser, periods, sampler, settings, conditioning, image);
  }

  /**
   * Seconds of a step on one device, by the model's own graph. Its session is not kept: it takes as much memory as the
   * weights, and may not be needed again.
   */
  async timeSingle(settings: GenerationSettings, conditioning: Conditioning): Promise<number> {
    const { directory } = this.#device;
    const options = await this.#device.sessionOptions();
    await using session = await Session.open(directory.graph(directory.denoiserPart), options);
    const trial = new SingleDevice(session, this.#sampler(settings), settings, conditioning);
    // Awaited here: the session must outlive the runs.
    return await timeRuns(0, trialWarmup + 1, 1, (step) => trial.advance(step, new Map()));
  }

  /** Seconds of whole-image steps, and of displaced ones of an inner patch among `patches`. */
  async timePatch(
    settings: GenerationSettings,
    conditioning: Conditioning,
    patches: number,
  ): Promise<StepTimes> {
    const periods = await this.plan(settings, patches);
    const denoiser = await this.#device.denoiser(shapeOf(settings), periods[0].plan, 1);
    const sampler = this.#sampler(settings);
    const trial = new DenoisePatch(denoiser, periods, sampler, settings, conditioning);
    return timePatchSteps(trial, denoiser);
  }

  #sampler(settings: GenerationSettings): Sampler {
    return samplerOf(this.#device.directory, settings);
  }
}

/** One entry of the batch: 0 without the prompt, 1 with it. */
const entryOf = (job: DenoiseJob, entry: 0 | 1): DenoiseJob => ({
  ...job,
  conditioning: halfOf(job.conditioning, entry),
});
