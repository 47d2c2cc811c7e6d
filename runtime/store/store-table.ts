/**
 * What a store knows of its objects: where they lie, who has mapped them, until when their owner wants them. It touches
 * neither memory nor disk.
 */

import { RuntimeError } from '../errors.js';
import type { ProcessId } from '../ids.js';

/** `original`: the only one. `copy`: pulled from another store for neighbours; it may be dropped at any time. */
export type StoredAs = 'original' | 'copy';

export type EntryState =
  | { readonly phase: 'writing'; readonly writer: ProcessId; readonly offset: number }
  | { readonly phase: 'memory'; readonly offset: number }
  /** On its way to or from disk. */
  | { readonly phase: 'moving'; readonly offset: number; readonly done: Promise<void> }
  | { readonly phase: 'disk' };

export interface Entry {
  readonly key: string;
  readonly bytes: number;
  readonly as: StoredAs;
  state: EntryState;
  /** How often each process has mapped it and not let go. */
  readonly pins: Map<ProcessId, number>;
  /** Its owner wants it until then, unless it says more. */
  until: number;
  usedAt: number;
  /** Its owner has let go: it stays for those who have mapped it, and nobody else gets it. */
  isFreed: boolean;
}

export interface StoreTableOptions {
  /** An object is kept so long after the last sign of its owner. @default 60_000 */
  readonly leaseMs?: number;
  /** @default Date.now */
  readonly clock?: () => number;
  /** Nobody can reach it any more: its memory or file may be used again. */
  readonly gone: (entry: Entry) => void;
}

export class StoreTable {
  readonly #entries = new Map<string, Entry>();
  readonly #leaseMs: number;
  readonly #clock: () => number;
  readonly #gone: (entry: Entry) => void;

  constructor({ leaseMs = 60_000, clock = Date.now, gone }: StoreTableOptions) {
    this.#leaseMs = leaseMs;
    this.#clock = clock;
    this.#gone = gone;
  }

  get entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  /** Also one that its owner has let go of. */
  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** A new object, which `writer` has mapped. */
  add(key: string, bytes: number, as: StoredAs, writer: ProcessId, offset: number): Entry {
    const now = this.#clock();
    const entry: Entry = {
      key,
      bytes,
      as,
      state: { phase: 'writing', writer, offset },
      pins: new Map([[writer, 1]]),
      until: now + this.#leaseMs,
      usedAt: now,
      isFreed: false,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** @throws RuntimeError `E_OBJECT_LOST` if it is not here, or its owner has let go. */
  find(key: string): Entry {
    const entry = this.#entries.get(key);
    if (entry && !entry.isFreed) return entry;
    const why = entry ? 'its owner has let go of it' : 'it is not there any more';
    throw new RuntimeError('E_OBJECT_LOST', `stored object ${key}: ${why}`);
  }

  pin(entry: Entry, by: ProcessId): void {
    entry.pins.set(by, (entry.pins.get(by) ?? 0) + 1);
    entry.usedAt = this.#clock();
  }

  /** Unknown keys are those of objects that went with their process. */
  unpin(key: string, by: ProcessId): void {
    const entry = this.#entries.get(key);
    const count = entry?.pins.get(by);
    if (!entry || count === undefined) return;
    if (count > 1) entry.pins.set(by, count - 1);
    else entry.pins.delete(by);
    entry.usedAt = this.#clock();
    this.#settle(entry);
  }

  hold(keys: readonly string[]): void {
    const until = this.#clock() + this.#leaseMs;
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry) entry.until = until;
    }
  }

  free(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.isFreed = true;
    this.#settle(entry);
  }

  /** A process is dead: what it had mapped nobody looks at, and what it was writing nobody can use. */
  forget(process: ProcessId): void {
    for (const entry of [...this.#entries.values()]) {
      const { state } = entry;
      if (state.phase === 'writing' && state.writer === process) entry.isFreed = true;
      if (entry.pins.delete(process) || entry.isFreed) this.#settle(entry);
    }
  }

  /** Let go of what no owner has asked for in time. Whoever has mapped it keeps it. */
  sweep(): void {
    const now = this.#clock();
    for (const entry of [...this.#entries.values()]) {
      // A copy has no owner: it is kept for a while after its last reader.
      const until = entry.as === 'copy' ? entry.usedAt + this.#leaseMs : entry.until;
      if (until <= now && entry.pins.size === 0) this.free(entry.key);
    }
  }

  /** What may leave the memory, the best choice first: copies, then what was not used for longest. */
  movable(): readonly Entry[] {
    return [...this.#entries.values()]
      .filter(({ state, pins }) => state.phase === 'memory' && pins.size === 0)
      .sort((a, b) => Number(b.as === 'copy') - Number(a.as === 'copy') || a.usedAt - b.usedAt);
  }

  #settle(entry: Entry): void {
    // What moves is looked at again when it has arrived.
    if (!entry.isFreed || entry.pins.size > 0 || entry.state.phase === 'moving') return;
    this.#entries.delete(entry.key);
    this.#gone(entry);
  }

  /** An object has arrived in memory or on disk. */
  moved(entry: Entry, state: EntryState): void {
    entry.state = state;
    this.#settle(entry);
  }
}
