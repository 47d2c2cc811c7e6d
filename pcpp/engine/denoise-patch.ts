/**
 * One device's share of one image: the latent rows it owns, stepped from noise to image. Whole-image steps at first,
 * which every device computes alike, then displaced steps on its own rows, and whole-image steps again at the end if
 * there are to be some. No network: the caller carries borders.
 *
 * Phases are runs of the graph: one for each step, or two where warm-up steps are computed by patches.
 */

import type { Values } from '../onnx/session.js';
import { type PlanPeriod, type PlanPeriods, periodAt } from '../partition/border-rules.js';
import { latentRows, manifestOf } from '../partition/manifest.js';
import type { Span } from '../partition/needs.js';
import { type PatchPlan, patchCount } from '../partition/plan.js';
import type { Sampler } from '../samplers/sampler.js';
import { concatBatch, concatRows, type Tensor, takeRows, tensor } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import { BorderLines } from './border-lines.js';
import { exactBytes, exactValues } from './border-wire.js';
import { latentOf } from './borders.js';
import { conditioningValues } from './evaluation.js';
import type { GenerationSettings } from './generation-settings.js';
import { type GraphRuns, graphRuns } from './graph-runs.js';
import { combineGuidance } from './guidance.js';
import { firstLatent } from './latent-noise.js';
import { LatentWalk } from './latent-walk.js';
import type { PatchDenoiser } from './patch-denoiser.js';
import { Denoising } from './share.js';
import { cooldownStart, kindOfStep, type StepKind, wholeSteps } from './step-kind.js';

export class DenoisePatch extends Denoising {
  readonly phases = 1;
  /** Stepped in every step, so that a sampler with memory has it when the warm-up ends. */
  protected readonly walk: LatentWalk;
  readonly #denoiser: PatchDenoiser;
  readonly #plan: PatchPlan;
  readonly #patch: number;
  readonly #sampler: Sampler;
  readonly #settings: GenerationSettings;
  readonly #values: Values;
  readonly #timestepScale: number;
  readonly #guided: boolean;
  readonly #runs: GraphRuns;
  /** From which run on. */
  readonly #periods: PlanPeriods;
  readonly #lines: BorderLines;
  /** By patch, latent rows of this step that came by themselves, unscaled. */
  readonly #latents = new Map<number, Tensor>();
  /** The whole image, during the warm-up and until the first displaced step has read its edges. */
  readonly #whole: LatentWalk;

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
    this.#runs = graphRuns(settings);
    this.#periods = inRuns(periods, this.#runs);
    this.#lines = new BorderLines(this.#periods, this.#patch);
    const first = firstLatent(sampler, settings, image);
    this.#whole = new LatentWalk(sampler, settings, first, 0);
    this.walk = new LatentWalk(sampler, settings, this.#ownRowsOf(first), this.#patchRows[0]);
  }

  firstPhase(step: number): number {
    return this.#runs.firstOf(step);
  }

  /** Whose messages the run reads. */
  senders(run: number): readonly number[] {
    switch (this.#readIn(run)) {
      case 'latents':
        return this.#plan.latentApart ? [] : this.latentSenders(run);
      case 'borders':
        return this.#partners(this.#planAt(run), (other) => [other, this.#patch]);
      case undefined:
        return [];
    }
  }

  /** Who reads this run's message; nobody that of the last one. */
  readers(run: number): readonly number[] {
    const { age, latentApart } = this.#plan;
    if (this.isFresh(run + 1)) return latentApart ? [] : this.latentReaders(run);
    return this.#readIn(run + age) === 'borders'
      ? this.#partners(this.#planAt(run + age), (other) => [this.#patch, other])
      : [];
  }

  borderFor(to: number, run: number): Uint8Array {
    return this.isFresh(run + 1)
      ? exactBytes(this.latentFor(to, run).data)
      : this.#lines.encode(to, this.#denoiser.outbound(to, this.rows), run);
  }

  override isFresh(run: number): boolean {
    return this.#readIn(run) === 'latents';
  }

  /** What the run reads: the first displaced ones after a whole-image run find borders in that. */
  #readIn(run: number): 'latents' | 'borders' | undefined {
    const isAfter = (kind: StepKind, age: number): boolean => this.#kindOf(run - age) === kind;
    if (this.#kindOf(run) === 'cooldown') return 'latents';
    if (this.#kindOf(run) !== 'displaced') return undefined;
    if (isAfter('cooldown', 1)) return 'latents';
    return isAfter('displaced', this.#plan.age) ? 'borders' : undefined;
  }

  /** Whose latent rows the run reads, of whatever message; nobody's after one that everyone has computed alike. */
  latentSenders(run: number): readonly number[] {
    if (this.#kindOf(run - 1) === 'warmup') return [];
    return this.#others((other) => this.#latentSpan(other, this.#patch, run) !== undefined);
  }

  /** Who reads this patch's latent rows as the run has left them. */
  latentReaders(run: number): readonly number[] {
    if (this.#kindOf(run) === 'warmup') return [];
    return this.#others((other) => this.#latentSpan(this.#patch, other, run + 1) !== undefined);
  }

  /** Own latent rows that patch `to` needs in the run after this one, [1, C, rows, W]. */
  latentFor(to: number, run: number): Tensor {
    const [from, end] = this.#latentSpan(this.#patch, to, run + 1) ?? [0, 0];
    const [first] = this.#patchRows;
    return takeRows(this.rows, from - first, end - first);
  }

  /** Takes such rows of patch `from`, for this run. @throws PcppError `E_SHAPE` if there are more or fewer. */
  takeLatent(from: number, values: Float32Array, run: number): void {
    const rows = this.#latentSpan(from, this.#patch, run) ?? [0, 0];
    const dims = [1, this.#plan.sites.channels, rows[1] - rows[0], this.#plan.width];
    this.#latents.set(from, tensor(dims, values.slice()));
  }

  /** Where a step has two runs, the second reads what the first has told. */
  borderAge(step: number): number | undefined {
    const [first, next] = [this.#runs.firstOf(step), this.#runs.firstOf(step + 1)];
    if (this.isFresh(first)) return 0;
    if (this.senders(next - 1).length === 0) return undefined;
    return next - first > 1 ? 0 : this.#plan.age;
  }

  override missing(from: number, version: number): readonly number[] {
    // Later ones carry latent rows, and build on nothing.
    const end = this.#runs.firstOf(cooldownStart(this.#settings)) - this.#plan.age;
    return this.#lines.missing(from, Math.min(version, end));
  }

  override repair(to: number, version: number): Uint8Array | undefined {
    return this.#lines.repair(to, version);
  }

  /** @returns Of a step with two runs the second one's output. */
  async predict(
    run: number,
    messages: ReadonlyMap<number, Uint8Array>,
    ages?: ReadonlyMap<number, number>,
  ): Promise<Tensor | undefined> {
    const output = await this.evaluate(run, messages, ages);
    return this.stepOf(run + 1) > this.stepOf(run) ? output : undefined;
  }

  /** @param messages By sender, what the others published `plan.age` runs before, or earlier if `ages` says so. */
  async evaluate(
    run: number,
    messages: ReadonlyMap<number, Uint8Array>,
    ages: ReadonlyMap<number, number> = new Map(),
  ): Promise<Tensor> {
    const step = this.stepOf(run);
    const timestep = this.#sampler.timesteps[step]! * this.#timestepScale;
    const input = { timestep, conditioning: this.#values };
    const isFresh = this.isFresh(run);
    if (isFresh) {
      for (const [from, message] of messages) this.takeLatent(from, exactValues(message), run);
    }
    if (this.#kindOf(run) !== 'displaced') {
      const whole = isFresh ? this.#gathered() : this.#whole.latent;
      const sample = this.#batch(this.#sampler.scaleInput(whole, step));
      return this.#guide(await this.#denoiser.whole({ ...input, sample }));
    }
    const madeIn = (from: number): number => run - (ages.get(from) ?? this.#plan.age);
    const borders = new Map(
      [...(isFresh ? [] : messages)].map(([from, message]) => [
        from,
        this.#lines.decode(from, message, madeIn(from)),
      ]),
    );
    const sample = this.#batch(this.#sampler.scaleInput(this.rows, step));
    const noise = await this.#denoiser.displaced({
      ...input,
      sample,
      borders,
      plans: {
        reads: isFresh ? this.#plan : this.#planAt(run),
        publishes: this.#planAt(run + this.#plan.age),
      },
      haloAbove: this.#halo(this.#patch - 1, run, borders, madeIn),
      haloBelow: this.#halo(this.#patch + 1, run, borders, madeIn),
    });
    return this.#guide(noise);
  }

  override settle(step: number, noise: Tensor): void {
    const kind = kindOfStep(this.#settings, step);
    if (kind === 'warmup') this.#whole.settle(step, noise);
    this.walk.settle(step, kind === 'displaced' ? noise : this.#ownRowsOf(noise));
  }

  /** The whole image before a step of the cool-down. */
  #gathered(): Tensor {
    const patches = [...Array(patchCount(this.#plan)).keys()];
    return concatRows(
      patches.map((patch) => (patch === this.#patch ? this.rows : this.#latents.get(patch)!)),
    );
  }

  protected override stepOf(run: number): number {
    return this.#runs.stepOf(run);
  }

  /** A neighbour's latent rows, of this step or of one before, as the denoiser wants to see them. */
  #halo(
    from: number,
    run: number,
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
    const apart = this.#latents.get(from);
    if (apart) return scaled(apart, this.stepOf(run));
    if (!payload) {
      return scaled(takeRows(this.#whole.latent, ...rows), wholeSteps(this.#settings));
    }
    const latent = latentOf(this.#planAt(run), from, this.#patch, payload);
    return scaled(latent, this.stepOf(madeIn(from) + 1));
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

  /** The plan that the borders follow which are read in this run. */
  #planAt(run: number): PatchPlan {
    return periodAt(this.#periods, run).plan;
  }

  #partners(
    plan: PatchPlan,
    edge: (other: number) => readonly [from: number, to: number],
  ): readonly number[] {
    return this.#others((other) => manifestOf(plan, ...edge(other)).length > 0);
  }

  /** Latent rows of `from` that the run reads in `to`. */
  #latentSpan(from: number, to: number, run: number): Span | undefined {
    switch (this.#kindOf(run)) {
      case 'displaced':
        return latentRows(this.#plan, from, to);
      case 'cooldown':
        return [this.#plan.bounds[from]!, this.#plan.bounds[from + 1]!];
      default:
        return undefined;
    }
  }

  #kindOf(run: number): StepKind | undefined {
    return kindOfStep(this.#settings, this.stepOf(run));
  }

  #others(isMeant: (other: number) => boolean = () => true): readonly number[] {
    const all = [...Array(patchCount(this.#plan)).keys()];
    return all.filter((other) => other !== this.#patch && isMeant(other));
  }
}

const inRuns = ([first, ...later]: PlanPeriods, { firstOf }: GraphRuns): PlanPeriods => {
  const inRun = ({ from, plan }: PlanPeriod): PlanPeriod => ({ from: firstOf(from), plan });
  return [inRun(first), ...later.map(inRun)];
};
