/**
 * Guidance on two devices: one computes what the prompt gives, its counterpart what the negative prompt gives, of the same rows.
 * At the end of each step they tell each other, and both let the sampler go on from the same. Each group of devices is one
 * image of a batch of one; a step has one phase more, in which the counterpart is heard.
 */

import { PcppError } from '../errors.js';
import { type Tensor, tensor } from '../tensor.js';
import { exactBytes, exactValues } from './border-wire.js';
import { guide } from './guidance.js';
import type { Denoising, Share } from './share.js';

export interface HalfPlace {
  /** Device number of the first patch of the own group. */
  readonly first: number;
  /** Device number of the counterpart. */
  readonly counterpart: number;
  /** Whether this is the half without the prompt. */
  readonly isNegative: boolean;
}

/** Negative prompts first, as in a batch. @param patches Of each group. */
export function halfPlace(device: number, patches: number): HalfPlace {
  const isNegative = device < patches;
  const first = isNegative ? 0 : patches;
  return { first, counterpart: isNegative ? device + patches : device - patches, isNegative };
}

export class GuidedHalf implements Share {
  readonly phases: number;
  readonly #half: Denoising;
  readonly #place: HalfPlace;
  readonly #scale: number;
  /** What the network gave in this step. */
  #output: Tensor | undefined;

  /** @param half With one entry in its batch. */
  constructor(half: Denoising, place: HalfPlace, guidanceScale: number) {
    this.phases = half.phases + 1;
    this.#half = half;
    this.#place = place;
    this.#scale = guidanceScale;
  }

  get rows(): Tensor {
    return this.#half.rows;
  }

  get denoised(): Tensor | undefined {
    return this.#half.denoised;
  }

  senders(phase: number): readonly number[] {
    const { isLate, own } = this.#at(phase);
    return isLate
      ? [this.#place.counterpart]
      : this.#half.senders(own).map((patch) => this.#out(patch));
  }

  readers(phase: number): readonly number[] {
    const { isLast, own } = this.#at(phase);
    // What comes out of the half's last phase includes rows that the sampler has yet to make.
    return isLast
      ? [this.#place.counterpart]
      : this.#half.readers(own).map((patch) => this.#out(patch));
  }

  borderFor(to: number, phase: number): Uint8Array {
    const { isLast, own } = this.#at(phase);
    if (isLast) return exactBytes(this.#output!.data);
    return this.#half.borderFor(this.#in(to), own);
  }

  async advance(phase: number, messages: ReadonlyMap<number, Uint8Array>): Promise<void> {
    const { isLate, own, step } = this.#at(phase);
    if (isLate) {
      this.#half.settle(step, this.#guided(messages.get(this.#place.counterpart)));
      return;
    }
    const inside = new Map([...messages].map(([from, message]) => [this.#in(from), message]));
    this.#output = (await this.#half.predict(own, inside)) ?? this.#output;
  }

  borderAge(step: number): number | undefined {
    return this.#half.borderAge(step);
  }

  missing(from: number, version: number): readonly number[] {
    const { isLate, own } = this.#at(version);
    if (!isLate) return [];
    const lost = this.#half.missing?.(this.#in(from), own) ?? [];
    return lost.map((phase) => this.#toldAt(phase));
  }

  repair(to: number, version: number): Uint8Array | undefined {
    const { isLate, own } = this.#at(version);
    return isLate ? this.#half.repair?.(this.#in(to), own) : undefined;
  }

  /** @throws PcppError `E_SHAPE` if the counterpart has told something of another size. */
  #guided(message: Uint8Array | undefined): Tensor {
    const own = this.#output!;
    const values = exactValues(message ?? new Uint8Array(0));
    if (values.length !== own.data.length) {
      throw new PcppError(
        'E_SHAPE',
        `device ${this.#place.counterpart} told ${values.length} values, not ${own.data.length}`,
      );
    }
    const other = tensor(own.dims, values);
    return this.#place.isNegative ? guide(own, other, this.#scale) : guide(other, own, this.#scale);
  }

  /**
   * `own`: the phase of the half whose messages are read or told. `isLast`: the network is done. `isLate`: the counterpart is
   * heard, and what the half tells after its last phase is told now.
   */
  #at(phase: number) {
    const inner = this.phases - 1;
    const step = Math.floor(phase / this.phases);
    const stage = phase % this.phases;
    const own = step * inner + Math.min(stage, inner - 1);
    return { step, own, isLate: stage === inner, isLast: stage === inner - 1 };
  }

  /** The phase in which the messages of the half's own last phases are told. */
  #toldAt(own: number): number {
    const inner = this.phases - 1;
    return Math.floor(own / inner) * this.phases + inner;
  }

  #out(patch: number): number {
    return patch + this.#place.first;
  }

  #in(device: number): number {
    return device - this.#place.first;
  }
}
