/** A device's part in one image, as its actor drives it. No network: the actor carries messages. */

import type { Tensor } from '../tensor.js';

export interface Share {
  /** Exchanges of one step: 1, or one for each stage of a staged graph. Phases are counted through over all steps. */
  readonly phases: number;
  /** What the last step left of own rows: [1, C, rows, W]. */
  readonly rows: Tensor;
  /** Whose messages `phase` reads. */
  senders(phase: number): readonly number[];
  /** Who reads the messages that come out of `phase`. */
  readers(phase: number): readonly number[];
  /** After `phase`, the message to another patch. */
  borderFor(to: number, phase: number): Uint8Array;
  /** @param messages By sender. */
  advance(phase: number, messages: ReadonlyMap<number, Uint8Array>): Promise<void>;
  /** As a message comes in: versions that were lost before it and have to be asked for. */
  missing?(from: number, version: number): readonly number[];
  /** What replaces a message that was lost; undefined if it is too long ago. */
  repair?(to: number, version: number): Uint8Array | undefined;
}
