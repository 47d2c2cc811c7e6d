/** Room in a store's memory: what is not used for long goes to disk, and comes back when somebody wants it. */

import { RuntimeError } from '../errors.js';
import type { SpillFolder } from './spill.js';
import type { StoreMemory } from './store-memory.js';
import type { Entry, StoreTable } from './store-table.js';

/** What is being written is there soon; who has objects mapped may let go of them within the second time. */
const soonMs = 20;
const fullMs = 2_000;

export interface StoreRoomOptions {
  readonly memory: StoreMemory;
  readonly spill: SpillFolder;
  readonly table: StoreTable;
  /** Asks all who have objects mapped to look for garbage. */
  readonly collect: () => Promise<void>;
}

export class StoreRoom {
  readonly #memory: StoreMemory;
  readonly #spill: SpillFolder;
  readonly #table: StoreTable;
  readonly #collect: () => Promise<void>;
  /** Who waits for room. */
  readonly #awaiting: (() => void)[] = [];

  constructor({ memory, spill, table, collect }: StoreRoomOptions) {
    this.#memory = memory;
    this.#spill = spill;
    this.#table = table;
    this.#collect = collect;
  }

  /**
   * Offset of memory for so many bytes.
   *
   * @throws RuntimeError `E_STORE_FULL` if there is no room and none can be made.
   */
  async take(bytes: number): Promise<number> {
    const { capacity } = this.#memory;
    if (bytes > capacity) {
      const text = `an object of ${bytes} bytes can never fit: the store has ${capacity}; raise objectStoreBytes or --object-store, or split it`;
      throw new RuntimeError('E_STORE_FULL', text);
    }
    const deadline = performance.now() + fullMs;
    for (let hasCollected = false; ; ) {
      const offset = this.#memory.take(bytes);
      if (offset !== undefined) return offset;
      if (await this.#move()) continue;
      // What is being written, or read for a moment, is free to move soon.
      if (await this.#changes(hasCollected ? deadline - performance.now() : soonMs)) continue;
      if (hasCollected) {
        const mapped = `${this.#memory.used} of ${capacity} are in use by programs that have them mapped`;
        const why = this.#memory.whyShort ?? mapped;
        const text = `no room for ${bytes} bytes: ${why}; let go of values, make room in shared memory, or raise objectStoreBytes or --object-store`;
        throw new RuntimeError('E_STORE_FULL', text);
      }
      hasCollected = true;
      await this.#collect();
    }
  }

  /** An object was written or let go of: there may be room now. */
  changed(): void {
    for (const wake of this.#awaiting.splice(0)) wake();
  }

  /** Brings an object back from disk. @throws RuntimeError `E_STORE_FULL`, `E_OBJECT_LOST`. */
  async load(entry: Entry): Promise<void> {
    const offset = await this.take(entry.bytes);
    if (entry.state.phase !== 'disk' || entry.isFreed) {
      this.#memory.give(offset, entry.bytes);
      return;
    }
    const done = this.#spill.read(entry.key, this.#memory.view(offset, entry.bytes)).then(
      async () => {
        this.#table.moved(entry, { phase: 'memory', offset });
        await this.#spill.remove(entry.key);
      },
      (error: unknown) => {
        this.#memory.give(offset, entry.bytes);
        this.#table.moved(entry, { phase: 'disk' });
        throw error;
      },
    );
    entry.state = { phase: 'moving', offset, done };
    await done;
  }

  /** Makes one object leave the memory; false if none may. */
  async #move(): Promise<boolean> {
    const entry = this.#table.movable()[0];
    if (entry?.as === 'copy') {
      this.#table.free(entry.key);
      return true;
    }
    if (entry) {
      await this.#toDisk(entry);
      return true;
    }
    const moving = [...this.#table.entries].flatMap(({ state }) =>
      state.phase === 'moving' ? [state.done] : [],
    );
    if (moving.length === 0) return false;
    await Promise.race(moving).catch(() => undefined);
    return true;
  }

  async #toDisk(entry: Entry): Promise<void> {
    if (entry.state.phase !== 'memory') return;
    const { offset } = entry.state;
    const done = this.#spill.write(entry.key, this.#memory.view(offset, entry.bytes)).then(
      () => {
        this.#memory.give(offset, entry.bytes);
        this.#table.moved(entry, { phase: 'disk' });
      },
      (error: unknown) => {
        this.#table.moved(entry, { phase: 'memory', offset });
        throw error;
      },
    );
    entry.state = { phase: 'moving', offset, done };
    await done;
  }

  /** Waits until something has changed; false if that does not happen in time. */
  async #changes(limitMs: number): Promise<boolean> {
    if (limitMs <= 0) return false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), limitMs);
    });
    const change = new Promise<true>((resolve) => {
      this.#awaiting.push(() => resolve(true));
    });
    return Promise.race([change, late]).finally(() => clearTimeout(timer));
  }
}
