/**
 * One device's share of one image in mode `sync`: its own rows, stepped from noise to image on fresh values alone. A step is
 * computed in stages, and after each stage devices tell each other what the next one reads; here they are counted through
 * as phases, from the first stage of the first step on. No network: the caller carries messages.
 */

import type { Values } from '../onnx/session.js';
import type { Sampler } from '../samplers/sampler.js';
import { concatBatch, type Tensor, takeRows } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import { exactBytes, exactValues } from './border-wire.js';
import { conditioningValues } from './evaluation.js';
import type { GenerationSettings } from './generation-settings.js';
import { combineGuidance } from './guidance.js';
import { firstLatent } from './latent-noise.js';
import { LatentWalk } from './latent-walk.js';
import { Denoising } from './share.js';
import type { StagedPatch } from './staged-patch.js';

export class SyncPatch extends Denoising {
  readonly phases: number;
  protected readonly walk: LatentWalk;
  readonly #patch: StagedPatch;
  readonly #sampler: Sampler;
  readonly #settings: GenerationSettings;
  readonly #conditioning: Values;
  readonly #timestepScale: number;
  readonly #guided: boolean;
  /** The whole image at first: everyone draws the same, so the first step's halos are known. */
  readonly #first: Tensor;

  constructor(
    patch: StagedPatch,
    sampler: Sampler,
    settings: GenerationSettings,
    conditioning: Conditioning,
    image?: Tensor,
  ) {
    super();
    this.phases = patch.stages;
    this.#patch = patch;
    this.#sampler = sampler;
    this.#settings = settings;
    this.#conditioning = conditioningValues(conditioning);
    this.#timestepScale = conditioning.timestepScale ?? 1;
    this.#guided = conditioning.hidden.dims[0] === 2;
    this.#first = firstLatent(sampler, settings, image);
    const [from, end] = [patch.plan.bounds[patch.index]!, patch.plan.bounds[patch.index + 1]!];
    this.walk = new LatentWalk(sampler, settings, takeRows(this.#first, from, end), from);
  }

  senders(phase: number): readonly number[] {
    return phase > 0 ? this.#patch.partners((phase - 1) % this.phases) : [];
  }

  /** Nobody reads what is told after the last phase of all. */
  readers(phase: number): readonly number[] {
    const last = this.#settings.evaluations * this.phases - 1;
    return phase < last ? this.#patch.partners(phase % this.phases) : [];
  }

  borderFor(to: number, phase: number): Uint8Array {
    return exactBytes(this.#patch.outbound(to, phase % this.phases, this.rows));
  }

  borderAge(): number {
    return 0;
  }

  async predict(
    phase: number,
    messages: ReadonlyMap<number, Uint8Array>,
  ): Promise<Tensor | undefined> {
    const said = new Map([...messages].map(([from, message]) => [from, exactValues(message)]));
    const stage = phase % this.phases;
    const step = Math.floor(phase / this.phases);
    if (stage === 0) this.#begin(step, said);
    await this.#patch.advance(stage, said);
    if (stage < this.phases - 1) return undefined;
    const { output } = this.#patch;
    return this.#guided ? combineGuidance(output, this.#settings.guidanceScale) : output;
  }

  #begin(step: number, said: ReadonlyMap<number, Float32Array>): void {
    const { index } = this.#patch;
    const scaled = (latent: Tensor): Tensor => {
      const input = this.#sampler.scaleInput(latent, step);
      // Guidance looks at the same latent twice.
      return this.#guided ? concatBatch([input, input]) : input;
    };
    const halo = (from: number): Tensor | undefined => {
      const rows = this.#patch.halo(from);
      if (!rows) return undefined;
      const latent =
        step === 0
          ? takeRows(this.#first, ...rows)
          : this.#patch.latentFrom(from, said.get(from) ?? new Float32Array(0));
      return latent && scaled(latent);
    };
    this.#patch.begin({
      sample: scaled(this.rows),
      timestep: this.#sampler.timesteps[step]! * this.#timestepScale,
      others: this.#conditioning,
      haloAbove: halo(index - 1),
      haloBelow: halo(index + 1),
    });
  }
}
