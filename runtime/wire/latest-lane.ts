/**
 * The sender's side of the latest-wins lane. A slot may have a few messages under way; a credit comes back when the
 * receiver has consumed one. Without credit the newest message waits and replaces an older one that waited.
 */

import type { ActorId } from '../ids.js';

/** Messages of one slot that may be under way at once. Age-1 readers need two: one in use, one waiting. */
export const defaultCredits = 2;

export interface LatestTraffic {
  /** Messages and their typed-array bytes handed to the link on the latest-wins lane. */
  latestMessages: number;
  latestPayloadBytes: number;
  latestDropped: number;
}

interface Slot {
  credits: number;
  waiting: Uint8Array<ArrayBuffer> | undefined;
}

export class LatestLane {
  readonly #slots = new Map<string, Slot>();
  readonly #send: (bytes: Uint8Array<ArrayBuffer>) => boolean;
  #dropped = 0;

  /** @param send Says whether the link took the bytes: a full one drops them, as a newer message would. */
  constructor(send: (bytes: Uint8Array<ArrayBuffer>) => boolean) {
    this.#send = send;
  }

  /** Messages that were never sent: replaced by newer ones, or refused by a full link. */
  get dropped(): number {
    return this.#dropped;
  }

  publish(actor: ActorId, slot: string, credits: number, bytes: Uint8Array<ArrayBuffer>): void {
    const key = keyOf(actor, slot);
    const state = this.#slots.get(key) ?? { credits, waiting: undefined };
    this.#slots.set(key, state);
    if (state.credits > 0) {
      state.credits--;
      this.#sendOrDrop(state, bytes);
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
      this.#sendOrDrop(state, bytes);
    } else {
      state.credits++;
    }
  }

  #sendOrDrop(state: Slot, bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#send(bytes)) return;
    this.#dropped++;
    state.credits++;
  }
}

const keyOf = (actor: ActorId, slot: string): string => `${actor}/${slot}`;
