/**
 * Guidance on one device in turns: what the prompt gives, and then what the negative prompt gives, each as a batch of one.
 * While one is computed the borders of the other travel, so that at age 1 nobody waits for bytes. A step has three phases:
 *
 *   0  computes nothing     reads the others' latent rows, tells the borders that the negative prompt gave the step before
 *   1  the prompt           reads its borders of the step before, tells its borders
 *   2  the negative prompt  reads its borders of the step before, tells the latent's edge rows that the sampler has made
 *
 * Latent rows are a thousandth of the bytes. They are told before borders, which would be in their way.
 */

import type { Tensor } from '../tensor.js';
import { exactBytes, exactValues } from './border-wire.js';
import type { DenoisePatch } from './denoise-patch.js';
import { guide } from './guidance.js';
import type { Share } from './share.js';

export class GuidedTurns implements Share {
  readonly phases = 3;
  readonly ages: readonly number[] = [1, 3, 2];
  readonly #positive: DenoisePatch;
  readonly #negative: DenoisePatch;
  readonly #scale: number;
  /** What the prompt gave in this step. */
  #output: Tensor | undefined;

  /** @param positive With the prompt alone in its batch, and latent rows apart. @param negative The same without the prompt. */
  constructor(positive: DenoisePatch, negative: DenoisePatch, guidanceScale: number) {
    this.#positive = positive;
    this.#negative = negative;
    this.#scale = guidanceScale;
  }

  get rows(): Tensor {
    return this.#positive.rows;
  }

  get denoised(): Tensor | undefined {
    return this.#positive.denoised;
  }

  senders(phase: number): readonly number[] {
    const { step, turn } = at(phase);
    switch (turn) {
      case 'exchange':
        return this.#positive.latentSenders(step);
      case 'positive':
        return this.#positive.senders(step);
      case 'negative':
        return this.#negative.senders(step);
    }
  }

  readers(phase: number): readonly number[] {
    const told = this.#toldIn(phase);
    return told ? told.half.readers(told.step) : this.#positive.latentReaders(at(phase).step);
  }

  borderFor(to: number, phase: number): Uint8Array {
    const told = this.#toldIn(phase);
    return told
      ? told.half.borderFor(to, told.step)
      : exactBytes(this.#positive.latentFor(to, at(phase).step).data);
  }

  async advance(phase: number, messages: ReadonlyMap<number, Uint8Array>): Promise<void> {
    const { step, turn } = at(phase);
    switch (turn) {
      case 'exchange':
        for (const [from, message] of messages) {
          const values = exactValues(message);
          this.#positive.takeLatent(from, values, step);
          this.#negative.takeLatent(from, values, step);
        }
        return;
      case 'positive':
        this.#output = await this.#positive.evaluate(step, messages);
        return;
      case 'negative': {
        const negative = await this.#negative.evaluate(step, messages);
        const output = guide(negative, this.#output!, this.#scale);
        this.#positive.settle(step, output);
        this.#negative.settle(step, output);
      }
    }
  }

  borderAge(step: number): number | undefined {
    return this.#positive.borderAge(step);
  }

  missing(from: number, version: number): readonly number[] {
    const told = this.#toldIn(version);
    if (!told) return [];
    const later = version - turns.length * told.step;
    return told.half.missing(from, told.step).map((lost) => turns.length * lost + later);
  }

  repair(to: number, version: number): Uint8Array | undefined {
    const told = this.#toldIn(version);
    return told?.half.repair(to, told.step);
  }

  /** Whose borders are told in the phase, and of which step; undefined where latent rows are. */
  #toldIn(phase: number): { readonly half: DenoisePatch; readonly step: number } | undefined {
    const { step, turn } = at(phase);
    switch (turn) {
      case 'exchange':
        return { half: this.#negative, step: step - 1 };
      case 'positive':
        return { half: this.#positive, step };
      case 'negative':
        return undefined;
    }
  }
}

const turns = ['exchange', 'positive', 'negative'] as const;

const at = (phase: number) => ({
  step: Math.floor(phase / turns.length),
  turn: turns[phase % turns.length]!,
});
