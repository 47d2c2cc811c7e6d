/**
 * The sender's side of the latest-wins lane. A slot may have a few messages under way; a credit comes back when the
 * receiver has consumed one. Without credit the newest message waits and replaces an older one that waited.
 */

import type { ActorId } from '../ids.js';

/** Messages of one slot that may be under way at once. Age-1 readers need two: one in use, one waiting. */
export const defaultCredits = 2;

interface Slot {
  credits: number;
  waiting: Uint8Array<ArrayBuffer> | undefined;
}

export class LatestLane {
  readonly #slots = new Map<string, Slot>();
  readonly #send: (bytes: Uint8Array<ArrayBuffer>) => void;
  #dropped = 0;

  constructor(send: (bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#send = send;
  }

  /** Messages replaced before they were sent. */
  get dropped(): number {
    return this.#dropped;
  }

  publish(actor: ActorId, slot: string, credits: number, bytes: Uint8Array<ArrayBuffer>): void {
    const key = keyOf(actor, slot);
    const state = this.#slots.get(key) ?? { credits, waiting: undefined };
    this.#slots.set(key, state);
    if (state.credits > 0) {
      state.credits--;
      this.#send(bytes);
      return;
    }
    if (state.waiting) this.#dropped++;
    state.waiting = bytes;
  }

  credit(actor: ActorId, slot: string): void {
    const state = this.#slots.get(keyOf(actor, slot));
    if (!state) return;
    if (state.waiting) {
      const bytes = state.waiting;
      state.waiting = undefined;
      this.#send(bytes);
    } else {
      state.credits++;
    }
  }
}

const keyOf = (actor: ActorId, slot: string): string => `${actor}/${slot}`;
