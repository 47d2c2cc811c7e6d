/**
 * The actor on each device: it keeps a model loaded from job to job and computes its rows of each image. ONNX Runtime
 * blocks its thread, so the actor has one of its own, and borders arrive meanwhile.
 */

import { basename } from 'node:path';
import { joinReports, type Lateness, PatchActor, type StepReport } from '../../actors/index.js';
import {
  type ActorContext,
  type ActorHandle,
  context,
  type Resources,
} from '../../runtime/index.js';
import { PcppError } from '../errors.js';
import { decodeLatents, encodeImage, type RgbImage, toRgb } from '../image/decode.js';
import type { DecoderReach, LatentSize } from '../image/decoder-reach.js';
import type { LatentColors } from '../image/latent-colors.js';
import { candidatesFor, type ProviderChoice } from '../onnx/provider.js';
import type { PlanPeriods } from '../partition/border-rules.js';
import type { LinkCost } from '../partition/cost.js';
import { planFresh, rowsBetween } from '../partition/plan.js';
import { nchw, type Tensor, takeRows } from '../tensor.js';
import {
  type Conditioning,
  type EncodedPrompt,
  encodePrompt,
  wholePicture,
} from '../text/encode-prompt.js';
import type { DecodeJob } from './decode-in-stages.js';
import { DecodePatch } from './decode-patch.js';
import type { DenoiseJob } from './denoise-job.js';
import { DeviceModel } from './device-model.js';
import { DeviceShares } from './device-shares.js';
import type { GenerationRequest } from './generation-request.js';
import { type GenerationSettings, prepare } from './generation-settings.js';
import { isGuided } from './guidance.js';
import { type DenoiseReport, isShown, previewOf } from './preview.js';
import type { Share } from './share.js';
import { LinkProbe, timeLink } from './time-link.js';
import type { StepTimes } from './time-steps.js';

export interface DeviceOptions {
  /** Directory of the model, readable on every node. */
  readonly model: string;
  /** Threads of ONNX Runtime. @default the processors the actor was given */
  readonly threads?: number;
  /** What computes. @default 'auto': the GPU if the actor was given one and it works, the processor otherwise */
  readonly provider?: ProviderChoice;
}

export class DenoiseActor extends PatchActor<Uint8Array> {
  static readonly actor: { readonly thread: true } = { thread: true };
  readonly #device: DeviceModel;
  readonly #shares: DeviceShares;
  #share: Share | undefined;
  /** What is shown of a step, where anything is. */
  #preview: ((step: number) => RgbImage | undefined) | undefined;
  readonly #probe = new LinkProbe();
  #peers: readonly ActorHandle<DenoiseActor>[] = [];

  constructor(options: DeviceOptions) {
    super();
    const call = context();
    const { cpu = 1, gpu = 0 } = call.resources as Resources & { cpu?: number; gpu?: number };
    const threads = options.threads ?? Math.max(1, Math.floor(cpu));
    const candidates = candidatesFor(options.provider ?? 'auto', gpu > 0);
    this.#device = new DeviceModel(options.model, threads, candidates);
    this.#shares = new DeviceShares(this.#device);
    void this.#announce(call);
  }

  /** Says what computes here, and of what would be faster why it does not. */
  async #announce(call: ActorContext): Promise<void> {
    const name = basename(this.#device.root);
    try {
      const { provider, refused } = await this.#device.provider();
      const instead = refused.map((better) => better.provider).join(', ');
      call.note(`${name} on ${provider}${instead === '' ? '' : `, ${instead} failed`}`);
      for (const better of refused) {
        console.warn(`${better.provider} does not work here, taking ${provider}: ${better.why}`);
      }
    } catch (error) {
      // Whoever asks for an image hears it too.
      call.note(`${name}: ${(error as Error).message}`);
    }
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
    const { prompt, negativePrompt, guidanceScale, guidanceInput, height, width } = settings;
    return encodePrompt(this.#device.model, {
      prompt,
      ...(negativePrompt === undefined ? {} : { negativePrompt }),
      guided: isGuided(guidanceScale),
      framing: wholePicture(height, width),
      ...(guidanceInput === undefined ? {} : { guidance: guidanceInput }),
    });
  }

  /** The latent of an image to begin with, [1, C, H, W]. @throws PcppError `E_MODEL_DIR` if the model has no encoder. */
  async encodeImage(image: RgbImage): Promise<Tensor> {
    const { model } = this.#device;
    return encodeImage(await model.session('vae_encoder'), image, model.directory.vae);
  }

  /** What previews are made with, the same for all images of the model. @throws PcppError as `DeviceModel.colors`. */
  colors(): Promise<LatentColors> {
    return this.#device.colors();
  }

  /** How the image is split. @throws PcppError as `DeviceShares.plan`. */
  plan(settings: GenerationSettings, patches: number | readonly number[]): Promise<PlanPeriods> {
    return this.#shares.plan(settings, patches);
  }

  /** Take up a job as device number `device`; the session stays from the job before where it can. */
  async take(job: DenoiseJob, device: number): Promise<void> {
    const { id, settings, rows, colors } = job;
    const all = settings.cfgParallel ? 2 * rows.length : rows.length;
    const share = await this.#shares.of(job, device);
    this.#share = share;
    // Of two groups both have the same.
    const shows = colors && device < rows.length;
    this.#preview = shows
      ? (step) => (isShown(settings, step) ? previewOf(share, colors) : undefined)
      : undefined;
    const age = Math.max(...(share.ages ?? [messageAge(settings)]));
    const lateness = settings.lateness ? { lateness: settings.lateness } : {};
    this.begin({ job: id, patch: device, patches: all, age, borderOf: 'output', ...lateness });
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

  /** One report for each step, with its preview once borders are on their way. */
  override async *run(first: number, end: number): AsyncGenerator<DenoiseReport> {
    for await (const report of this.#steps(first, end)) {
      const preview = this.#preview?.(report.step);
      yield preview ? { ...report, preview } : report;
    }
  }

  /** In however many phases each is computed. */
  async *#steps(first: number, end: number): AsyncGenerator<StepReport> {
    const share = this.#current;
    const firstPhase = (step: number): number => share.firstPhase?.(step) ?? step * share.phases;
    for (let step = first; step < end; step++) {
      const [from, to] = [firstPhase(step), firstPhase(step + 1)];
      const reports: StepReport[] = [];
      for await (const report of super.run(from, to)) reports.push(report);
      if (reports.length < to - from) return;
      const [report] = reports;
      if (report && reports.length === 1) {
        yield { ...report, step, ...(this.#isFresh(from) ? { age: 0 } : {}) };
      } else {
        yield joinReports(reports, step, share.borderAge(step));
      }
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
    this.#preview = undefined;
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

  /** Seconds of a step on one device, by the model's own graph. */
  timeSingle(settings: GenerationSettings, conditioning: Conditioning): Promise<number> {
    return this.#shares.timeSingle(settings, conditioning);
  }

  /** Seconds of whole-image steps, and of displaced ones of an inner patch among `patches`. */
  timePatch(
    settings: GenerationSettings,
    conditioning: Conditioning,
    patches: number,
  ): Promise<StepTimes> {
    return this.#shares.timePatch(settings, conditioning, patches);
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
    if (this.#isFresh(phase)) return 1;
    return ages ? ages[phase % ages.length]! : super.ageOf(phase);
  }

  protected override latenessOf(phase: number): Lateness | undefined {
    return this.#isFresh(phase) ? undefined : super.latenessOf(phase);
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

  #isFresh(phase: number): boolean {
    return this.#current.isFresh?.(phase) ?? false;
  }

  get #current(): Share {
    if (!this.#share) throw new Error('take() a job first');
    return this.#share;
  }
}

/** In phases; what is told within a step is read in the phase after. */
const messageAge = ({ cfgParallel, mode, borderAge }: GenerationSettings): number =>
  cfgParallel || mode === 'sync' ? 1 : borderAge;
