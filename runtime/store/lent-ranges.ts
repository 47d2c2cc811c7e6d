/** Which process has been lent which ranges of memory. */

import type { ProcessId } from '../ids.js';
import type { LentRange } from '../wire/lending.js';

export class LentRanges {
  /** Bytes by offset, by who looks at them. */
  readonly #lent = new Map<ProcessId, Map<number, number>>();
  #bytes = 0;

  /** Of all together. */
  get bytes(): number {
    return this.#bytes;
  }

  get borrowers(): readonly ProcessId[] {
    return [...this.#lent.keys()];
  }

  add(to: ProcessId, { offset, bytes }: LentRange): void {
    const ranges = this.#lent.get(to) ?? new Map<number, number>();
    this.#lent.set(to, ranges);
    ranges.set(offset, bytes);
    this.#bytes += bytes;
  }

  /** What comes back of these; a process gives back only what it was lent itself. */
  back(from: ProcessId, offsets: readonly number[]): readonly LentRange[] {
    const ranges = this.#lent.get(from);
    if (!ranges) return [];
    const back = offsets.flatMap((offset): LentRange[] => {
      const bytes = ranges.get(offset);
      if (bytes === undefined) return [];
      ranges.delete(offset);
      this.#bytes -= bytes;
      return [{ offset, bytes }];
    });
    if (ranges.size === 0) this.#lent.delete(from);
    return back;
  }

  /** What comes back of a process that looks at these offsets and no others. */
  allBut(from: ProcessId, held: readonly number[]): readonly LentRange[] {
    const kept = new Set(held);
    const offsets = [...(this.#lent.get(from)?.keys() ?? [])];
    return this.back(
      from,
      offsets.filter((offset) => !kept.has(offset)),
    );
  }
}
