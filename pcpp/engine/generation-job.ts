/** One image being made: its progress as it happens, and its result. */

import { runPatches, type StepReport } from '../../actors/index.js';
import { RuntimeError } from '../../runtime/index.js';
import { PcppError } from '../errors.js';
import type { RgbImage } from '../image/decode.js';
import { encodePng } from '../image/png.js';
import type { PlanPeriod } from '../partition/border-rules.js';
import { rowsBetween } from '../partition/plan.js';
import { halvedRows } from '../partition/strips.js';
import { concatRows, type Tensor } from '../tensor.js';
import type { AutoChoice, AutoMode } from './auto-mode.js';
import { decodeStrips, planDecoding } from './decode-image.js';
import { decodeInStages } from './decode-in-stages.js';
import { EventLog } from './event-log.js';
import type { GenerationProgress, StepProgress } from './generation-progress.js';
import type { GenerationRequest } from './generation-request.js';
import { describe, type GenerationSettings } from './generation-settings.js';
import { type ImageForecast, imageForecast } from './image-forecast.js';
import type { Paces } from './paces.js';
import type { Device } from './pipeline.js';
import { type DenoiseReport, joinPreviews } from './preview.js';
import { kindOfStep } from './step-kind.js';

export interface GenerationOptions {
  /** Stops the job between steps; the result rejects with `E_ABORTED`. */
  readonly signal?: AbortSignal;
}

export interface GenerationResult extends ImageForecast {
  readonly image: RgbImage;
  /** The image as a file; prompt and settings are in its text chunks. */
  readonly png: Uint8Array;
  /** [1, C, H, W] after the last step. */
  readonly latent: Tensor;
  readonly settings: GenerationSettings;
  /** What mode `auto` became. */
  readonly choice?: AutoChoice;
  readonly steps: readonly StepProgress[];
  /** Wall time of all steps, without prompt, loading and decoding. */
  readonly denoiseMs: number;
  /** Wall time from start to image. */
  readonly totalMs: number;
}

export class GenerationJob implements AsyncIterable<GenerationProgress> {
  readonly id: string;
  /** @throws PcppError or the error of a device: `E_ACTOR_DEAD` if one died, `E_ABORTED` after an abort. */
  readonly result: Promise<GenerationResult>;
  readonly #devices: readonly Device[];
  readonly #auto: AutoMode;
  readonly #paces: Paces;
  readonly #signal: AbortSignal | undefined;
  readonly #log = new EventLog<GenerationProgress>();

  /** Use `pipeline.generate`. @param before Settles when the devices are free. */
  constructor(
    id: string,
    devices: readonly Device[],
    auto: AutoMode,
    paces: Paces,
    request: GenerationRequest,
    options: GenerationOptions,
    before: Promise<unknown>,
  ) {
    this.id = id;
    this.#devices = devices;
    this.#auto = auto;
    this.#paces = paces;
    this.#signal = options.signal;
    this.result = before.then(() => this.#make(request));
    this.result.then(
      () => this.#log.end(),
      (error: unknown) => this.#log.fail(error),
    );
  }

  /** Everything from the start of the job on, also for late or several readers. Throws what `result` throws. */
  [Symbol.asyncIterator](): AsyncIterator<GenerationProgress> {
    return this.#log[Symbol.asyncIterator]();
  }

  async #make(asked: GenerationRequest): Promise<GenerationResult> {
    const started = performance.now();
    try {
      this.#requireNotAborted();
      const choice = asked.mode === 'auto' ? await this.#choose(asked) : undefined;
      const request = choice?.request ?? asked;
      const settings = await this.#call(0).prepare(request);
      const devices = this.#devices.slice(0, devicesFor(settings, this.#devices.length));
      const patches = settings.cfgParallel ? devices.length / 2 : devices.length;
      const weights = this.#weights(settings, patches);
      const periods = patches > 1 ? await this.#plan(settings, weights) : [];
      const forecast = imageForecast(settings, periods);
      await this.#begin(request, settings, devices, forecast);
      const steps = await this.#denoise(settings, devices, forecast.bounds);
      // Of two groups both have the same.
      const parts = devices.slice(0, patches).map((_, patch) => this.#call(patch).rows());
      const latent = concatRows(await Promise.all(parts));
      const image = await this.#decode(settings, devices, forecast.bounds, latent);
      return {
        image,
        png: encodePng(image, describe(settings, forecast.bounds)),
        latent,
        settings,
        ...forecast,
        ...(choice ? { choice } : {}),
        steps,
        denoiseMs: steps.reduce((sum, { stepMs }) => sum + stepMs, 0),
        totalMs: performance.now() - started,
      };
    } catch (error) {
      this.#requireNotAborted();
      throw error;
    }
  }

  async #choose(request: GenerationRequest): Promise<AutoChoice> {
    const devices = this.#devices.map((_, patch) => this.#call(patch));
    const choice = await this.#auto.choose(request, devices, this.#signal);
    this.#log.push({ kind: 'choice', choice });
    return choice;
  }

  /** @throws PcppError `E_OPTION` if as many weights were given as there are not patches. */
  #weights({ rowShares, cfgParallel }: GenerationSettings, patches: number): readonly number[] {
    const equal = Array<number>(patches).fill(1);
    if (rowShares === 'equal') return equal;
    if (rowShares === 'measured') {
      const owners = equal.map((_, patch) => (cfgParallel ? [patch, patch + patches] : [patch]));
      return this.#paces.sharesOf(owners) ?? equal;
    }
    if (rowShares.length === patches) return rowShares;
    throw new PcppError(
      'E_OPTION',
      `rowShares has ${rowShares.length} weights for ${patches} patches: give one for each`,
    );
  }

  /** Every device compiles its graph at the same time, and all must come to the same plans. */
  async #plan(
    settings: GenerationSettings,
    weights: readonly number[],
  ): Promise<readonly PlanPeriod[]> {
    const asked = weights.map((_, patch) => this.#call(patch).plan(settings, weights));
    const plans = await Promise.all(asked);
    const told = plans.map((periods) => periods.map(({ plan }) => plan.hash).join(' '));
    const other = told.findIndex((hashes) => hashes !== told[0]);
    if (other < 0) return plans[0]!;
    throw new PcppError(
      'E_PARTITION',
      `devices 0 and ${other} would split the image differently: their model directories are not the same`,
    );
  }

  /** Prompt and plan to every device; the model is loaded on the way. */
  async #begin(
    { image }: GenerationRequest,
    settings: GenerationSettings,
    devices: readonly Device[],
    forecast: ImageForecast,
  ): Promise<void> {
    const rows = rowsBetween(forecast.bounds);
    const { conditioning, unknownWords, cutTokens } = await this.#call(0).encode(settings);
    this.#log.push({ kind: 'prompt', unknownWords, cutTokens });
    const begun = image ? { image: await this.#call(0).encodeImage(image) } : {};
    const shown = settings.previewEvery ? { colors: await this.#call(0).colors() } : {};
    const job = { id: this.id, settings, conditioning, rows, ...begun, ...shown };
    await Promise.all(devices.map((_, patch) => this.#call(patch).take(job, patch)));
    await Promise.all(devices.map((_, patch) => this.#call(patch).link(devices)));
    this.#log.push({ kind: 'plan', settings, ...forecast });
  }

  async #denoise(
    settings: GenerationSettings,
    devices: readonly Device[],
    bounds: readonly number[],
  ): Promise<readonly StepProgress[]> {
    const { evaluations: steps, warmupSteps } = settings;
    const done: StepProgress[] = [];
    const waiting = new Map<number, DenoiseReport[]>();
    const computeMs = devices.map((): number[] => []);
    let since = performance.now();
    const options = this.#signal ? { signal: this.#signal } : {};
    for await (const report of runPatches(devices, 0, steps, options)) {
      const reports = [...(waiting.get(report.step) ?? []), report];
      waiting.set(report.step, reports);
      // In mode sync there are no whole-image steps.
      const isOwn = kindOfStep(settings, report.step) === 'displaced' || warmupSteps === steps;
      if (isOwn) computeMs[report.patch]!.push(report.computeMs);
      if (reports.length < devices.length) continue;
      waiting.delete(report.step);
      const now = performance.now();
      const progress = { ...merge(reports), steps, stepMs: now - since };
      since = now;
      done.push(progress);
      this.#log.push({ kind: 'step', ...progress });
      const image = joinPreviews(reports);
      if (image) this.#log.push({ kind: 'preview', step: progress.step, image });
    }
    this.#requireNotAborted();
    const rows = rowsBetween(bounds);
    for (const [device, times] of computeMs.entries()) {
      if (rows.length > 1) this.#paces.note(device, rows[device % rows.length]!, times);
    }
    return done;
  }

  async #decode(
    settings: GenerationSettings,
    devices: readonly Device[],
    patchBounds: readonly number[],
    latent: Tensor,
  ): Promise<RgbImage> {
    const { order, bounds } = settings.cfgParallel
      ? halvedRows(patchBounds)
      : { order: [...devices.keys()], bounds: patchBounds };
    const called = order.map((device) => this.#call(device));
    const decoding = await planDecoding(called, settings.latent, bounds);
    const decoders = decoding.by === 'one' ? 1 : called.length;
    const why = decoding.by === 'one' ? decoding.why : undefined;
    this.#log.push({ kind: 'decode', devices: decoders, ...(why === undefined ? {} : { why }) });
    switch (decoding.by) {
      case 'one':
        return called[0]!.decode(latent);
      case 'strips':
        return decodeStrips(called, decoding.strips, latent);
      case 'stages': {
        const job = { id: `${this.id} decode`, latent, bounds };
        const together = order.map((device) => devices[device]!);
        return decodeInStages(together, job, this.#signal);
      }
    }
  }

  #call(patch: number): Device {
    const device = this.#devices[patch]!;
    return this.#signal ? device.with({ signal: this.#signal }) : device;
  }

  #requireNotAborted(): void {
    if (!this.#signal?.aborted) return;
    throw new PcppError('E_ABORTED', 'the job was aborted by its caller', {
      cause: this.#signal.reason,
    });
  }
}

function devicesFor({ devices, cfgParallel }: GenerationSettings, available: number): number {
  // Two groups are equally large.
  const all = cfgParallel ? available - (available % 2) : available;
  const wanted = devices === 'all' ? Math.max(all, cfgParallel ? 2 : 1) : devices;
  if (wanted <= available) return wanted;
  throw new RuntimeError(
    'E_NO_ROOM',
    `the request wants ${wanted} devices, the pipeline has ${available}`,
  );
}

function merge(reports: readonly StepReport[]): Omit<StepProgress, 'steps' | 'stepMs'> {
  const ages = reports.flatMap(({ age }) => (age === undefined ? [] : [age]));
  return {
    step: reports[0]!.step,
    computeMs: Math.max(...reports.map(({ computeMs }) => computeMs)),
    waitMs: Math.max(...reports.map(({ waitMs }) => waitMs)),
    borderBytes: reports.reduce((sum, { bytesIn }) => sum + bytesIn, 0),
    borderAge: ages.length > 0 ? Math.max(...ages) : undefined,
    lateBorders: reports.reduce((sum, { late }) => sum + late, 0),
  };
}
