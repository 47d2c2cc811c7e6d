/** A device's part in one image, as its actor drives it. No network: the actor carries messages. */

import type { Tensor } from '../tensor.js';
import type { LatentWalk } from './latent-walk.js';

export interface Share {
  /** Exchanges of one step: 1, or more where devices tell each other something within it. Counted through over all steps. */
  readonly phases: number;
  /** Where steps have different numbers of phases: the first one of a step. @default step * phases */
  firstPhase?(step: number): number;
  /**
   * Where phases read messages of different ages: for each phase of a step, how many phases old. Each phase's messages are
   * then a sequence of their own. @default one phase, or the age of the plan
   */
  readonly ages?: readonly number[];
  /** What the last step left of own rows: [1, C, rows, W]. */
  readonly rows: Tensor;
  /** Own rows of the image as the network saw them in the last step; undefined before the first. Not of decoding. */
  readonly denoised?: Tensor | undefined;
  /** Whose messages `phase` reads. */
  senders(phase: number): readonly number[];
  /** Who reads the messages that come out of `phase`. */
  readers(phase: number): readonly number[];
  /** After `phase`, the message to another patch. */
  borderFor(to: number, phase: number): Uint8Array;
  /**
   * @param messages By sender.
   * @param ages By sender, how many phases old its message is. @default all are as old as is asked for
   */
  advance(
    phase: number,
    messages: ReadonlyMap<number, Uint8Array>,
    ages?: ReadonlyMap<number, number>,
  ): Promise<void>;
  /** How old the borders are that a step reads; undefined if it reads none. */
  borderAge(step: number): number | undefined;
  /**
   * Whether the phase waits for what the one before it has made, and for nothing older, whatever holds for other phases.
   * @default never
   */
  isFresh?(phase: number): boolean;
  /** As a message comes in: versions that were lost before it and have to be asked for. */
  missing?(from: number, version: number): readonly number[];
  /** What replaces a message that was lost; undefined if it is too long ago. */
  repair?(to: number, version: number): Uint8Array | undefined;
}

/** A share of denoising: the network and the sampler can be told apart, for guidance to come between them. */
export abstract class Denoising implements Share {
  abstract readonly phases: number;
  /** Of own rows. */
  protected abstract readonly walk: LatentWalk;
  abstract senders(phase: number): readonly number[];
  abstract readers(phase: number): readonly number[];
  abstract borderFor(to: number, phase: number): Uint8Array;
  abstract borderAge(step: number): number | undefined;
  isFresh?(phase: number): boolean;
  missing?(from: number, version: number): readonly number[];
  repair?(to: number, version: number): Uint8Array | undefined;

  /**
   * The network. @returns At the end of a step what the sampler is to see, with guidance if the batch has both entries:
   * [1, C, rows, W], of all rows in a whole-image step.
   */
  abstract predict(
    phase: number,
    messages: ReadonlyMap<number, Uint8Array>,
    ages?: ReadonlyMap<number, number>,
  ): Promise<Tensor | undefined>;

  /** The sampler. @param output What `predict` returned, or more guided than that. */
  settle(step: number, output: Tensor): void {
    this.walk.settle(step, output);
  }

  get rows(): Tensor {
    return this.walk.latent;
  }

  get denoised(): Tensor | undefined {
    return this.walk.denoised;
  }

  async advance(
    phase: number,
    messages: ReadonlyMap<number, Uint8Array>,
    ages?: ReadonlyMap<number, number>,
  ): Promise<void> {
    const output = await this.predict(phase, messages, ages);
    if (output) this.settle(this.stepOf(phase), output);
  }

  protected stepOf(phase: number): number {
    return Math.floor(phase / this.phases);
  }
}
