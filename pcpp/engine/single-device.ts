/** The whole image on one device, by the model's own graph: no neighbours, no borders. */

import type { Session } from '../onnx/session.js';
import type { Sampler } from '../samplers/sampler.js';
import type { Tensor } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import { evaluateDenoiser } from './evaluation.js';
import type { GenerationSettings } from './generation-settings.js';
import { firstLatent } from './latent-noise.js';
import { LatentWalk } from './latent-walk.js';
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
  protected readonly walk: LatentWalk;
  readonly #session: Session;
  readonly #sampler: Sampler;
  readonly #settings: GenerationSettings;
  readonly #conditioning: Conditioning;
  readonly #noiseOf: Beginning['ofStep'];

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
    this.#noiseOf = beginning.ofStep;
    const first = firstLatent(sampler, settings, beginning.image, beginning.first);
    this.walk = new LatentWalk(sampler, settings, first, 0);
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
      this.#sampler.scaleInput(this.rows, step),
      this.#sampler.timesteps[step]!,
      this.#conditioning,
      this.#settings.guidanceScale,
    );
  }

  override settle(step: number, output: Tensor): void {
    this.walk.settle(step, output, this.#noiseOf?.(step));
  }
}
