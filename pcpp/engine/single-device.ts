/** The whole image on one device, by the model's own graph: no neighbours, no borders. */

import type { Session } from '../onnx/session.js';
import { initialRows } from '../samplers/noise.js';
import type { Sampler } from '../samplers/sampler.js';
import { type Tensor, tensor } from '../tensor.js';
import type { Conditioning } from '../text/encode-prompt.js';
import type { GenerationSettings } from './generation-settings.js';
import { evaluateUnet } from './unet.js';

export class SingleDevice {
  readonly #session: Session;
  readonly #sampler: Sampler;
  readonly #settings: GenerationSettings;
  readonly #conditioning: Conditioning;
  #state: unknown;
  #latent: Tensor;

  /** @param first Unit normal noise [1, C, H, W]. @default drawn from the seed */
  constructor(
    session: Session,
    sampler: Sampler,
    settings: GenerationSettings,
    conditioning: Conditioning,
    first?: Tensor,
  ) {
    const { channels, height, width } = settings.latent;
    const noise =
      first ?? initialRows(settings.seed, { channels, width, fromRow: 0, toRow: height });
    this.#session = session;
    this.#sampler = sampler;
    this.#settings = settings;
    this.#conditioning = conditioning;
    this.#state = sampler.start();
    this.#latent = tensor(
      noise.dims,
      noise.data.map((value) => value * sampler.initNoiseSigma),
    );
  }

  /** [1, C, H, W] as the last step left it. */
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

  async advance(step: number): Promise<void> {
    const output = await evaluateUnet(
      this.#session,
      this.#sampler.scaleInput(this.#latent, step),
      this.#sampler.timesteps[step]!,
      this.#conditioning,
      this.#settings.guidanceScale,
    );
    const next = this.#sampler.step(this.#state, step, output, this.#latent);
    this.#state = next.state;
    this.#latent = next.sample;
  }
}
