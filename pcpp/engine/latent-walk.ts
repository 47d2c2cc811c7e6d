/** Some rows of a latent on their way from noise to image, as a sampler leads them. */

import type { Sampler } from '../samplers/sampler.js';
import { nchw, type Tensor } from '../tensor.js';
import type { GenerationSettings } from './generation-settings.js';
import { drawnNoise } from './latent-noise.js';

export class LatentWalk {
  readonly #sampler: Sampler;
  readonly #settings: GenerationSettings;
  readonly #firstRow: number;
  #state: unknown;
  #latent: Tensor;
  #last: { readonly step: number; readonly output: Tensor; readonly sample: Tensor } | undefined;

  /**
   * @param first What these rows begin with, [1, C, rows, W].
   * @param firstRow Where they are in the whole latent.
   */
  constructor(sampler: Sampler, settings: GenerationSettings, first: Tensor, firstRow: number) {
    this.#sampler = sampler;
    this.#settings = settings;
    this.#firstRow = firstRow;
    this.#state = sampler.start();
    this.#latent = first;
  }

  /** What the last step left: [1, C, rows, W]. */
  get latent(): Tensor {
    return this.#latent;
  }

  /** The image as the network saw it in the last step, of the same shape; undefined before the first. */
  get denoised(): Tensor | undefined {
    const last = this.#last;
    return last && this.#sampler.denoised(last.output, last.sample, last.step);
  }

  /**
   * @param output What the network gave in this step, with guidance.
   * @param noise Unit normal, for a sampler that draws noise. @default drawn from the seed
   */
  settle(step: number, output: Tensor, noise: Tensor | undefined = this.#drawn(step)): void {
    const sample = this.#latent;
    const next = this.#sampler.step(this.#state, step, output, sample, noise);
    this.#state = next.state;
    this.#latent = next.sample;
    this.#last = { step, output, sample };
  }

  #drawn(step: number): Tensor | undefined {
    const [, , rows] = nchw(this.#latent);
    const span = [this.#firstRow, this.#firstRow + rows] as const;
    return drawnNoise(this.#sampler, this.#settings, step, span);
  }
}
