/**
 * One device's share of one image: the latent rows it owns, stepped from noise to image. Whole-image steps at first,
 * which every device computes alike, then displaced steps on its own rows. No network: the caller carries borders.
 */

import type { Values } from '../onnx/session.js';
import { type PlanPeriods, periodAt } from '../partition/border-rules.js';
import { latentRows, manifestOf } from '../partition/manifest.js';
import { type PatchPlan, patchCount } from '../partition/plan.js';
import type { Sampler } from '../samplers/sampler.js';
import { concatBatch, type Tensor, takeRows, tensor } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import { BorderLines } from './border-lines.js';
import { latentOf } from './borders.js';
import { conditioningValues } from './evaluation.js';
import type { GenerationSettings } from './generation-settings.js';
import { combineGuidance } from './guidance.js';
import { drawnNoise, firstLatent } from './latent-noise.js';
import type { PatchDenoiser } from './patch-denoiser.js';
import { Denoising } from './share.js';

/** A latent and what its sampler remembers. */
interface Track {
  readonly state: unknown;
  readonly latent: Tensor;
}

export class DenoisePatch extends Denoising {
  readonly phases = 1;
  readonly #denoiser: PatchDenoiser;
  readonly #plan: PatchPlan;
  readonly #patch: number;
  readonly #sampler: Sampler;
  readonly #settings: GenerationSettings;
  readonly #values: Values;
  readonly #timestepScale: number;
  readonly #guided: boolean;
  readonly #periods: PlanPeriods;
  readonly #lines: BorderLines;
  /** Own rows; stepped in every step, so that a sampler with memory has it when the warm-up ends. */
  #own: Track;
  /** By neighbour, latent rows of this step that came by themselves, unscaled. */
  readonly #halos = new Map<number, Tensor>();
  /** The whole image, during the warm-up and until the first displaced step has read its edges. */
  #whole: Track;

  /** @param periods What borders are in which steps; `denoiser` has the first one's plan. */
  constructor(
    denoiser: PatchDenoiser,
    periods: PlanPeriods,
    sampler: Sampler,
    settings: GenerationSettings,
    conditioning: Conditioning,
    image?: Tensor,
  ) {
    super();
    this.#denoiser = denoiser;
    this.#plan = denoiser.plan;
    this.#patch = denoiser.index;
    this.#sampler = sampler;
    this.#settings = settings;
    this.#values = conditioningValues(conditioning);
    this.#timestepScale = conditioning.timestepScale ?? 1;
    this.#guided = conditioning.hidden.dims[0] === 2;
    this.#periods = periods;
    this.#lines = new BorderLines(periods, this.#patch);
    const first = firstLatent(sampler, settings, image);
    this.#whole = { state: sampler.start(), latent: first };
    this.#own = { state: sampler.start(), latent: this.#ownRowsOf(first) };
  }

  get rows(): Tensor {
    return this.#own.latent;
  }

  isDisplaced(step: number): boolean {
    return step >= this.#settings.warmupSteps;
  }

  /** Whose borders the step reads: the first displaced steps find them in their own whole-image run. */
  senders(step: number): readonly number[] {
    return step >= this.#settings.warmupSteps + this.#plan.age
      ? this.#partners(this.#planAt(step), (other) => [other, this.#patch])
      : [];
  }

  /** Who reads this step's borders; nobody those of the last ones. */
  readers(step: number): readonly number[] {
    const isRead = this.isDisplaced(step) && step < this.#settings.evaluations - this.#plan.age;
    if (!isRead) return [];
    return this.#partners(this.#planAt(step + this.#plan.age), (other) => [this.#patch, other]);
  }

  borderFor(to: number, step: number): Uint8Array {
    return this.#lines.encode(to, this.#denoiser.outbound(to, this.#own.latent), step);
  }

  /** Whose latent rows a displaced step reads. */
  get latentSenders(): readonly number[] {
    return this.#others((other) => latentRows(this.#plan, other, this.#patch) !== undefined);
  }

  /** Whose displaced steps read this patch's latent rows. */
  get latentReaders(): readonly number[] {
    return this.#others((other) => latentRows(this.#plan, this.#patch, other) !== undefined);
  }

  /** Own latent rows that patch `to` needs for the next step, [1, C, rows, W]. */
  latentFor(to: number): Tensor {
    const [from, end] = latentRows(this.#plan, this.#patch, to) ?? [0, 0];
    const [first] = this.#patchRows;
    return takeRows(this.#own.latent, from - first, end - first);
  }

  /** Takes such rows of patch `from`, for the step that comes next. @throws PcppError `E_SHAPE` if there are more or fewer. */
  takeLatent(from: number, values: Float32Array): void {
    const rows = latentRows(this.#plan, from, this.#patch) ?? [0, 0];
    const dims = [1, this.#plan.sites.channels, rows[1] - rows[0], this.#plan.width];
    this.#halos.set(from, tensor(dims, values.slice()));
  }

  borderAge(step: number): number | undefined {
    return this.senders(step).length > 0 ? this.#plan.age : undefined;
  }

  override missing(from: number, version: number): readonly number[] {
    return this.#lines.missing(from, version);
  }

  override repair(to: number, version: number): Uint8Array | undefined {
    return this.#lines.repair(to, version);
  }

  /** @param messages By sender, what the others published `plan.age` steps before, or earlier if `ages` says so. */
  async predict(
    step: number,
    messages: ReadonlyMap<number, Uint8Array>,
    ages: ReadonlyMap<number, number> = new Map(),
  ): Promise<Tensor> {
    const madeIn = (from: number): number => step - (ages.get(from) ?? this.#plan.age);
    const borders = new Map(
      [...messages].map(([from, message]) => [
        from,
        this.#lines.decode(from, message, madeIn(from)),
      ]),
    );
    const timestep = this.#sampler.timesteps[step]! * this.#timestepScale;
    const input = { timestep, conditioning: this.#values };
    if (!this.isDisplaced(step)) {
      const sample = this.#batch(this.#sampler.scaleInput(this.#whole.latent, step));
      return this.#guide(await this.#denoiser.whole({ ...input, sample }));
    }
    const sample = this.#batch(this.#sampler.scaleInput(this.#own.latent, step));
    const noise = await this.#denoiser.displaced({
      ...input,
      sample,
      borders,
      plans: { reads: this.#planAt(step), publishes: this.#planAt(step + this.#plan.age) },
      haloAbove: this.#halo(this.#patch - 1, step, borders, madeIn),
      haloBelow: this.#halo(this.#patch + 1, step, borders, madeIn),
    });
    return this.#guide(noise);
  }

  settle(step: number, noise: Tensor): void {
    if (this.isDisplaced(step)) {
      this.#own = this.#step(this.#own, step, noise, this.#patchRows);
      return;
    }
    this.#whole = this.#step(this.#whole, step, noise, [0, this.#plan.height]);
    this.#own = this.#step(this.#own, step, this.#ownRowsOf(noise), this.#patchRows);
  }

  /** A neighbour's latent rows, of this step or of one before, as the denoiser wants to see them. */
  #halo(
    from: number,
    step: number,
    borders: ReadonlyMap<number, Float32Array>,
    madeIn: (from: number) => number,
  ): Tensor | undefined {
    if (from < 0 || from >= patchCount(this.#plan)) return undefined;
    const payload = borders.get(from);
    const rows = latentRows(this.#plan, from, this.#patch);
    if (!rows) return undefined;
    // Scaled by the noise they have, which is that of the step they were to enter.
    const scaled = (latent: Tensor | undefined, entered: number): Tensor | undefined =>
      latent && this.#batch(this.#sampler.scaleInput(latent, entered));
    const apart = this.#halos.get(from);
    if (apart) return scaled(apart, step);
    if (!payload) return scaled(takeRows(this.#whole.latent, ...rows), this.#settings.warmupSteps);
    return scaled(latentOf(this.#planAt(step), from, this.#patch, payload), madeIn(from) + 1);
  }

  #step(
    { state, latent }: Track,
    index: number,
    output: Tensor,
    rows: readonly [from: number, to: number],
  ): Track {
    const fresh = drawnNoise(this.#sampler, this.#settings, index, rows);
    const next = this.#sampler.step(state, index, output, latent, fresh);
    return { state: next.state, latent: next.sample };
  }

  get #patchRows(): readonly [from: number, to: number] {
    return [this.#plan.bounds[this.#patch]!, this.#plan.bounds[this.#patch + 1]!];
  }

  /** Guidance looks at the same latent twice. */
  #batch(latent: Tensor): Tensor {
    return this.#guided ? concatBatch([latent, latent]) : latent;
  }

  #guide(noise: Tensor): Tensor {
    return this.#guided ? combineGuidance(noise, this.#settings.guidanceScale) : noise;
  }

  #ownRowsOf(whole: Tensor): Tensor {
    return takeRows(whole, ...this.#patchRows);
  }

  /** The plan that the borders follow which are read in this step. */
  #planAt(step: number): PatchPlan {
    return periodAt(this.#periods, step).plan;
  }

  #partners(
    plan: PatchPlan,
    edge: (other: number) => readonly [from: number, to: number],
  ): readonly number[] {
    return this.#others((other) => manifestOf(plan, ...edge(other)).length > 0);
  }

  #others(isMeant: (other: number) => boolean): readonly number[] {
    const all = [...Array(patchCount(this.#plan)).keys()];
    return all.filter((other) => other !== this.#patch && isMeant(other));
  }
}
