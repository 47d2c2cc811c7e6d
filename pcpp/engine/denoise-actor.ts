/**
 * The actor on each device: it keeps a model loaded from job to job and computes its rows of each image. ONNX Runtime
 * blocks its thread, so the actor has one of its own, and borders arrive meanwhile.
 */

import { joinReports, PatchActor, type StepReport } from '../../actors/index.js';
import { type ActorHandle, context } from '../../runtime/index.js';
import { PcppError } from '../errors.js';
import { decodeLatents, encodeImage, type RgbImage, toRgb } from '../image/decode.js';
import type { DecoderReach, LatentSize } from '../image/decoder-reach.js';
import { Session } from '../onnx/session.js';
import type { PlanPeriods } from '../partition/border-rules.js';
import type { LinkCost } from '../partition/cost.js';
import { planFresh, rowsBetween } from '../partition/plan.js';
import { createSampler } from '../samplers/create-sampler.js';
import type { Sampler } from '../samplers/sampler.js';
import { nchw, type Tensor, takeRows } from '../tensor.js';
import {
  type Conditioning,
  type EncodedPrompt,
  encodePrompt,
  halfOf,
  wholePicture,
} from '../text/encode-prompt.js';
import type { DecodeJob } from './decode-in-stages.js';
import { DecodePatch } from './decode-patch.js';
import type { DenoiseJob } from './denoise-job.js';
import { DenoisePatch } from './denoise-patch.js';
import { DeviceModel } from './device-model.js';
import type { GenerationRequest } from './generation-request.js';
import { type GenerationSettings, prepare } from './generation-settings.js';
import { isGuided } from './guidance.js';
import { GuidedHalf, halfPlace } from './guided-half.js';
import { GuidedTurns } from './guided-turns.js';
import { planImage, shapeOf } from './plan-image.js';
import type { Denoising, Share } from './share.js';
import { SingleDevice } from './single-device.js';
import { SyncPatch } from './sync-patch.js';
import { LinkProbe, timeLink } from './time-link.js';
import { type StepTimes, timePatchSteps, timeRuns, trialWarmup } from './time-steps.js';

export interface DeviceOptions {
  /** Directory of the model, readable on every node. */
  readonly model: string;
  /** Threads of ONNX Runtime. @default the processors the actor was given */
  readonly threads?: number;
}

export class DenoiseActor extends PatchActor<Uint8Array> {
  static readonly actor: { readonly thread: true } = { thread: true };
  readonly #device: DeviceModel;
  #share: Share | undefined;
  readonly #probe = new LinkProbe();
  #peers: readonly ActorHandle<DenoiseActor>[] = [];

  constructor(options: DeviceOptions) {
    super();
    const threads = options.threads ?? Math.max(1, Math.floor(context().resources['cpu'] ?? 1));
    this.#device = new DeviceModel(options.model, threads);
  }

  /**
   * Everything decided for a request.
   *
   * @throws PcppError `E_MODEL_DIR`, `E_MODEL_CONFIG`, `E_OPTION`, `E_SIZE`.
   */
  prepare(request: GenerationRequest): GenerationSettings {
    return prepare(request, this.#device.directory);
  }

  encode(settings: GenerationSettings): Promise<EncodedPrompt> {
    const { prompt, negativePrompt, guidanceScale, height, width } = settings;
    return encodePrompt(this.#device.model, {
      prompt,
      ...(negativePrompt === undefined ? {} : { negativePrompt }),
      guided: isGuided(guidanceScale),
      framing: wholePicture(height, width),
    });
  }

  /** The latent of an image to begin with, [1, C, H, W]. @throws PcppError `E_MODEL_DIR` if the model has no encoder. */
  async encodeImage(image: RgbImage): Promise<Tensor> {
    const { model } = this.#device;
    return encodeImage(await model.session('vae_encoder'), image, model.directory.vae);
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

  /** Take up a job as device number `device`; the session stays from the job before where it can. */
  async take(job: DenoiseJob, device: number): Promise<void> {
    const { id, settings, rows } = job;
    const all = settings.cfgParallel ? 2 * rows.length : rows.length;
    this.#share = await this.#shareOf(job, device);
    const age = Math.max(...(this.#share.ages ?? [messageAge(settings)]));
    const lateness = settings.lateness ? { lateness: settings.lateness } : {};
    this.begin({ job: id, patch: device, patches: all, age, borderOf: 'output', ...lateness });
  }

  async #shareOf(job: DenoiseJob, device: number): Promise<Share> {
    const { settings, conditioning, rows } = job;
    const { guidanceScale } = settings;
    const half = (entry: 0 | 1): DenoiseJob => ({
      ...job,
      conditioning: halfOf(conditioning, entry),
    });
    if (settings.cfgParallel) {
      const place = halfPlace(device, rows.length);
      const own = await this.#denoisingOf(half(place.isNegative ? 0 : 1), device - place.first);
      return new GuidedHalf(own, place, guidanceScale);
    }
    if (settings.cfgInterleaved && rows.length > 1) {
      const [negative, positive] = [
        await this.#patchOf(half(0), device),
        await this.#patchOf(half(1), device),
      ];
      return new GuidedTurns(positive, negative, guidanceScale);
    }
    return this.#denoisingOf(job, device);
  }

  async #denoisingOf(job: DenoiseJob, patch: number): Promise<Denoising> {
    const { settings, conditioning, rows, image } = job;
    const sampler = this.#samplerOf(settings);
    if (rows.length === 1) {
      const session = await this.#device.model.session('unet');
      return new SingleDevice(session, sampler, settings, conditioning, {
        ...(image ? { image } : {}),
      });
    }
    if (settings.mode !== 'sync') return this.#patchOf(job, patch);
    const [{ plan }] = await this.plan(settings, rows);
    const staged = await this.#device.stagedDenoiser(shapeOf(settings), plan, patch);
    return new SyncPatch(staged, sampler, settings, conditioning, image);
  }

  async #patchOf(job: DenoiseJob, patch: number): Promise<DenoisePatch> {
    const { settings, conditioning, rows, image } = job;
    const periods = await this.plan(settings, rows);
    const denoiser = await this.#device.denoiser(shapeOf(settings), periods[0].plan, patch);
    const sampler = this.#samplerOf(settings);
    return new DenoisePatch(denoiser, periods, sampler, settings, conditioning, image);
  }

  override link(peers: readonly ActorHandle<DenoiseActor>[]): void {
    this.#peers = peers;
    super.link(peers);
  }

  /** A message that builds on one that was lost cannot be read: ask its sender for what is missing. */
  override border(job: string, from: number, version: number, border: Uint8Array): Promise<void> {
    if (this.#share && this.settings.job === job) {
      for (const lost of this.#share.missing?.(from, version) ?? []) {
        this.#peers[from]?.latest(`repair ${lost}`).repair(job, this.settings.patch, lost);
      }
    }
    return super.border(job, from, version, border);
  }

  /** Send patch `to` this version again, so that it can be read by itself. On the latest-wins lane. */
  repair(job: string, to: number, version: number): void {
    if (!this.#share || this.settings.job !== job) return;
    const frame = this.#share.repair?.(to, version);
    if (frame) this.#peers[to]?.latest('repair').border(job, this.settings.patch, version, frame);
  }

  /** One report for each step, in however many phases it was computed. */
  override async *run(first: number, end: number): AsyncGenerator<StepReport> {
    const { phases } = this.#current;
    if (phases === 1) {
      yield* super.run(first, end);
      return;
    }
    for (let step = first; step < end; step++) {
      const reports: StepReport[] = [];
      for await (const report of super.run(step * phases, (step + 1) * phases))
        reports.push(report);
      if (reports.length < phases) return;
      yield joinReports(reports, step, this.#current.borderAge(step));
    }
  }

  /** Own latent rows as the last step left them, [1, C, rows, W]. */
  rows(): Tensor {
    return this.#current.rows;
  }

  /** How this device can decode its rows. @throws PcppError `E_MODEL_DIR` if the decoder is unreadable. */
  async decoderReach(size: LatentSize): Promise<DecoderReach> {
    const { directory } = this.#device;
    if (!directory.has('vae_decoder')) {
      return { kind: 'whole', why: 'not every device has a decoder' };
    }
    return (await this.#device.decoder(size)).reach;
  }

  /** Take up own rows of a decoder that looks at the whole image; `run` one step of it then, and fetch the `pixels`. */
  async takeDecoding({ id, latent, bounds }: DecodeJob, patch: number): Promise<void> {
    const patches = bounds.length - 1;
    this.begin({ job: id, patch, patches, age: 1, borderOf: 'output' });
    const [, , height, width] = nchw(latent);
    const { staged } = await this.#device.decoder({ height, width });
    if (!staged) throw new PcppError('E_GRAPH', 'this decoder is not one that is run in stages');
    const rows = rowsBetween(bounds);
    const plan = planFresh(staged.sites, { height, width, batch: 1, patches: rows });
    const share = await this.#device.stagedDecoder(staged, plan, patch);
    this.#share = new DecodePatch(share, latent, this.#device.directory.vae);
  }

  /** Own rows of the image, once they are decoded in stages. */
  pixels(): RgbImage {
    const [image] = toRgb(this.#current.rows);
    return image!;
  }

  /**
   * @param latent [1, C, rows, W]
   * @param keeps Pixel rows [from, to) of these that are wanted. All when left out.
   */
  async decode(latent: Tensor, keeps?: readonly [from: number, to: number]): Promise<RgbImage> {
    const { model } = this.#device;
    const decoder = await model.session('vae_decoder');
    const pixels = await decodeLatents(decoder, latent, model.directory.vae);
    const [image] = toRgb(keeps ? takeRows(pixels, ...keeps) : pixels);
    return image!;
  }

  /**
   * Seconds of a step on one device, by the model's own graph. Its session is not kept: it takes as much memory as the
   * weights, and may not be needed again.
   */
  async timeSingle(settings: GenerationSettings, conditioning: Conditioning): Promise<number> {
    const { directory } = this.#device;
    await using session = await Session.open(directory.graph('unet'), {
      threads: this.#device.threads,
    });
    const trial = new SingleDevice(session, this.#samplerOf(settings), settings, conditioning);
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
    const trial = new DenoisePatch(
      denoiser,
      periods,
      this.#samplerOf(settings),
      settings,
      conditioning,
    );
    return timePatchSteps(trial, denoiser);
  }

  /** How fast this device's borders reach another. */
  timeLink(peer: ActorHandle<DenoiseActor>): Promise<LinkCost> {
    return timeLink(peer);
  }

  /** A message of a trial that another device makes. On the latest-wins lane. */
  probe(trial: string, version: number, bytes: Uint8Array): Promise<void> {
    return this.#probe.put(trial, version, bytes);
  }

  /** Answers when that message is here. */
  probed(trial: string, version: number): Promise<void> {
    return this.#probe.take(trial, version);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#device[Symbol.asyncDispose]();
  }

  protected override needs(step: number): readonly number[] {
    return this.#current.senders(step);
  }

  protected override ageOf(phase: number): number {
    const { ages } = this.#current;
    return ages ? ages[phase % ages.length]! : super.ageOf(phase);
  }

  protected override sequenceOf(phase: number): number {
    const { ages } = this.#current;
    return ages ? phase % ages.length : super.sequenceOf(phase);
  }

  protected override readers(step: number): readonly number[] {
    return this.#current.readers(step);
  }

  protected override borderFor(to: number, step: number): Uint8Array {
    return this.#current.borderFor(to, step);
  }

  protected override advance(
    step: number,
    borders: ReadonlyMap<number, Uint8Array>,
    ages: ReadonlyMap<number, number>,
  ): Promise<void> {
    return this.#current.advance(step, borders, ages);
  }

  get #current(): Share {
    if (!this.#share) throw new Error('take() a job first');
    return this.#share;
  }

  #samplerOf({ steps, skippedSteps, sampler: name }: GenerationSettings): Sampler {
    return createSampler(this.#device.directory.scheduler, { steps, skippedSteps, name });
  }
}

/** In phases; what is told within a step is read in the phase after. */
const messageAge = ({ cfgParallel, mode, borderAge }: GenerationSettings): number =>
  cfgParallel || mode === 'sync' ? 1 : borderAge;
