/** Where a head keeps what the next one at its address must know. Rows are plain data by key; `records.ts` says which. */

import type { RuntimeError } from '../errors.js';

export interface Row {
  readonly key: string;
  readonly value: unknown;
}

/** A row as it is now; without a value it is gone. */
export interface Change {
  readonly key: string;
  readonly value?: unknown;
}

export interface Journal {
  /**
   * Settles if the head has to end: the journal has another head now, or cannot be reached. What it was told then is kept or
   * not, nobody knows.
   */
  readonly lost?: Promise<RuntimeError>;
  /** Everything that is kept, in any order. */
  rows(): Iterable<Row> | Promise<Iterable<Row>>;
  /**
   * All of the changes or none, and none without those of earlier calls. They are encoded when it returns, and outlive this
   * process then, or when what it returns settles: before that nobody may hear of them. That never rejects, and never settles
   * once the journal is `lost`.
   *
   * @throws RuntimeError `E_JOURNAL`: whoever wrote goes on without a journal.
   */
  write(changes: readonly Change[]): void | Promise<void>;
  /** The rows stay for the next head. */
  close(): Promise<void>;
  /** The cluster has ended: nothing stays. */
  remove(): Promise<void>;
}

/** Outlives a head, but not the program: for tests, and for heads that share a program with what restarts them. */
export class MemoryJournal implements Journal {
  readonly #rows = new Map<string, unknown>();

  *rows(): Iterable<Row> {
    for (const [key, value] of this.#rows) yield { key, value };
  }

  write(changes: readonly Change[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.#rows.delete(key);
      else this.#rows.set(key, value);
    }
  }

  async close(): Promise<void> {}

  async remove(): Promise<void> {
    this.#rows.clear();
  }
}
