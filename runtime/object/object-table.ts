/**
 * What this process owns and others may ask for. A value that was passed on is kept for a while after the last sign of
 * interest, by lease: whoever holds a ref renews it. No process waits for another to count down.
 */

import { RuntimeError } from '../errors.js';
import type { ObjectRef } from './object-ref.js';

interface Entry {
  /** Held while the lease runs. */
  strong: ObjectRef<unknown> | undefined;
  /** Afterwards only as long as this process itself holds it. */
  readonly weak: WeakRef<ObjectRef<unknown>>;
  until: number;
}

export interface ObjectTableOptions {
  /** A value is kept so long after the last sign of interest. @default 60_000 */
  readonly leaseMs?: number;
  /** @default Date.now */
  readonly clock?: () => number;
}

export class ObjectTable {
  readonly #leaseMs: number;
  readonly #clock: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(options: ObjectTableOptions = {}) {
    this.#leaseMs = options.leaseMs ?? 60_000;
    this.#clock = options.clock ?? Date.now;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The ref was passed on: keep its value for those who get it. */
  keep(ref: ObjectRef<unknown>): void {
    const until = this.#clock() + this.#leaseMs;
    const known = this.#entries.get(ref.id);
    if (known) Object.assign(known, { strong: ref, until });
    else this.#entries.set(ref.id, { strong: ref, weak: new WeakRef(ref), until });
  }

  renew(ids: readonly string[]): void {
    for (const id of ids) {
      const ref = this.#entries.get(id)?.weak.deref();
      if (ref) this.keep(ref);
    }
  }

  peek(id: string): ObjectRef<unknown> | undefined {
    const entry = this.#entries.get(id);
    return entry?.strong ?? entry?.weak.deref();
  }

  /** @throws RuntimeError `E_OBJECT_LOST` if it was freed, or nobody showed interest for too long. */
  find(id: string): ObjectRef<unknown> {
    const ref = this.peek(id);
    if (!ref) {
      throw new RuntimeError(
        'E_OBJECT_LOST',
        `object ${id} is gone from its owner: it was freed, or no ref to it was left for ${this.#leaseMs / 1000} s`,
      );
    }
    return ref;
  }

  free(id: string): void {
    this.#entries.delete(id);
  }

  /** Let go of what nobody has renewed. */
  sweep(): void {
    const now = this.#clock();
    for (const [id, entry] of this.#entries) {
      if (entry.until > now) continue;
      entry.strong = undefined;
      if (!entry.weak.deref()) this.#entries.delete(id);
    }
  }
}
