/** Which bytes of a store's memory are free. The lowest are taken first, so that memory that was touched is used again. */

interface Free {
  readonly offset: number;
  readonly bytes: number;
}

/** Ranges begin and end at pages. */
export const pageBytes = 4096;

const inPages = (bytes: number): number => Math.max(Math.ceil(bytes / pageBytes), 1) * pageBytes;

export class RangePool {
  readonly capacity: number;
  /** By offset; no two touch. */
  readonly #free: Free[];
  #used = 0;

  constructor(capacity: number) {
    this.capacity = Math.floor(capacity / pageBytes) * pageBytes;
    this.#free = this.capacity > 0 ? [{ offset: 0, bytes: this.capacity }] : [];
  }

  /** Bytes taken, whole pages. */
  get used(): number {
    return this.#used;
  }

  /** Offset of a range, or undefined if none is large enough. */
  take(bytes: number): number | undefined {
    const size = inPages(bytes);
    const place = this.#free.findIndex((free) => free.bytes >= size);
    const free = this.#free[place];
    if (!free) return undefined;
    const rest = { offset: free.offset + size, bytes: free.bytes - size };
    this.#free.splice(place, 1, ...(rest.bytes > 0 ? [rest] : []));
    this.#used += size;
    return free.offset;
  }

  /** @param bytes As they were taken. */
  give(offset: number, bytes: number): void {
    let size = inPages(bytes);
    this.#used -= size;
    const found = this.#free.findIndex((free) => free.offset > offset);
    let place = found < 0 ? this.#free.length : found;
    let start = offset;
    let merged = 0;
    const before = this.#free[place - 1];
    if (before && before.offset + before.bytes === offset) {
      start = before.offset;
      size += before.bytes;
      place--;
      merged++;
    }
    const after = this.#free[place + merged];
    if (after && after.offset === start + size) {
      size += after.bytes;
      merged++;
    }
    this.#free.splice(place, merged, { offset: start, bytes: size });
  }
}
