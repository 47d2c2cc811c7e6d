/** The whole image on one device, by the model's own graph: no neighbours, no borders. */

import type { Session } from '../onnx/session.js';
import type { Sampler } from '../samplers/sampler.js';
import type { Tensor } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import { evaluateDenoiser } from './evaluation.js';
import type { GenerationSettings } from './generation-settings.js';
import { drawnNoise, firstLatent } from './latent-noise.js';
import { Denoising } from './share.js';

/** What an image begins with besides its seed. */
export interface Beginning {
  /** A latent without noise, [1, C, H, W]. */
  readonly image?: Tensor;

  /** Unit normal noise [1, C, H, W] from outside, for comparison with other programs. */
  readonly first?: Tensor;
  /** The same for what the sampler adds in a step. */
  readonly ofStep?: (step: number) => Tensor;
}

export class SingleDevice extends Denoising {
  readonly phases = 1;
  readonly #session: Session;
  readonly #sampler: Sampler;
  readonly #settings: GenerationSettings;
  readonly #conditioning: Conditioning;
  readonly #beginning: Beginning;
  #state: unknown;
  #latent: Tensor;

  constructor(
    session: Session,
    sampler: Sampler,
    settings: GenerationSettings,
    conditioning: Conditioning,
    beginning: Beginning = {},
  ) {
    super();
    this.#session = session;
    this.#sampler = sampler;
    this.#settings = settings;
    this.#conditioning = conditioning;
    this.#beginning = beginning;
    this.#state = sampler.start();
    this.#latent = firstLatent(sampler, settings, beginning.image, beginning.first);
  }

  get rows(): Tensor {
    return this.#latent;
  }

  senders(_step: number): readonly number[] {
    return [];
  }

  readers(_step: number): readonly number[] {
    return [];
  }

  borderFor(to: number): never {
    throw new Error(`there is no patch ${to}`);
  }

  borderAge(): undefined {
    return undefined;
  }

  predict(step: number): Promise<Tensor> {
    return evaluateDenoiser(
      this.#session,
      this.#sampler.scaleInput(this.#latent, step),
      this.#sampler.timesteps[step]!,
      this.#conditioning,
      this.#settings.guidanceScale,
    );
  }

  settle(step: number, output: Tensor): void {
    const rows = [0, this.#settings.latent.height] as const;
    const fresh =
      this.#beginning.ofStep?.(step) ?? drawnNoise(this.#sampler, this.#settings, step, rows);
    const next = this.#sampler.step(this.#state, step, output, this.#latent, fresh);
    this.#state = next.state;
    this.#latent = next.sample;
  }
}
