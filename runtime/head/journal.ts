/** Where a head keeps what the next one at its address must know. Rows are plain data by key; `records.ts` says which. */

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
  /** Everything that is kept, in any order. */
  rows(): Iterable<Row>;
  /** All of the changes or none. When it returns they outlive this process. */
  write(changes: readonly Change[]): void;
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
