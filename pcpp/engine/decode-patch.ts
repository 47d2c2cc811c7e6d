/** One device's share of the pixels, by a decoder that looks at the whole image: own rows, in stages, as mode `sync` steps. */

import { decoderInput } from '../image/decode.js';
import type { VaeConfig } from '../model/config.js';
import { requireShape } from '../model/feed.js';
import { type Tensor, takeRows } from '../tensor.js';
import { exactBytes, exactValues } from './border-wire.js';
import type { Share } from './share.js';
import type { StagedPatch } from './staged-patch.js';

export class DecodePatch implements Share {
  readonly phases: number;
  readonly #patch: StagedPatch;
  readonly #latent: Tensor;
  readonly #vae: VaeConfig;

  /** @param latent The whole, [1, C, H, W], after the last step. */
  constructor(patch: StagedPatch, latent: Tensor, vae: VaeConfig) {
    this.phases = patch.stages;
    this.#patch = patch;
    this.#latent = decoderInput(latent, vae);
    this.#vae = vae;
  }

  /**
   * Pixels of own rows, [1, 3, rows · scaleFactor, W · scaleFactor], about -1..1.
   *
   * @throws PcppError `E_SHAPE` if the decoder enlarges by another factor.
   */
  get rows(): Tensor {
    const { output, index, plan } = this.#patch;
    const latentRows = plan.bounds[index + 1]! - plan.bounds[index]!;
    const [height, width] = [latentRows, plan.width].map((size) => size * this.#vae.scaleFactor);
    requireShape('the decoded image', output, [1, 3, height!, width!]);
    return output;
  }

  senders(phase: number): readonly number[] {
    return phase > 0 ? this.#patch.partners(phase - 1) : [];
  }

  readers(phase: number): readonly number[] {
    return phase < this.phases - 1 ? this.#patch.partners(phase) : [];
  }

  borderFor(to: number, phase: number): Uint8Array {
    return exactBytes(this.#patch.outbound(to, phase));
  }

  borderAge(): number {
    return 0;
  }

  async advance(phase: number, messages: ReadonlyMap<number, Uint8Array>): Promise<void> {
    if (phase === 0) this.#begin();
    const said = new Map([...messages].map(([from, message]) => [from, exactValues(message)]));
    await this.#patch.advance(phase, said);
  }

  #begin(): void {
    const { index, plan } = this.#patch;
    const halo = (from: number): Tensor | undefined => {
      const rows = this.#patch.halo(from);
      return rows && takeRows(this.#latent, ...rows);
    };
    this.#patch.begin({
      sample: takeRows(this.#latent, plan.bounds[index]!, plan.bounds[index + 1]!),
      haloAbove: halo(index - 1),
      haloBelow: halo(index + 1),
    });
  }
}
