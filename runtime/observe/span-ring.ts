/** The last calls of a host: a ring of columns, which costs a call a few writes. */

import type { HostTrace } from './reports.js';

export const maxSpans: number = 10_000;
/** Names beyond these are told apart no longer: callers choose them. */
const maxNames = 500;
const otherName = '(others)';

export type SpanColumns = Pick<HostTrace, 'names' | 'name' | 'start' | 'ms' | 'failed' | 'part'>;

export class SpanRing {
  readonly #size: number;
  readonly #numbers = new Map<string, number>();
  readonly #name: Uint16Array;
  readonly #start: Float64Array;
  readonly #ms: Float64Array;
  readonly #failed: Uint8Array;
  readonly #part: Uint8Array;
  #count = 0;

  constructor(size: number = maxSpans) {
    this.#size = size;
    this.#name = new Uint16Array(size);
    this.#start = new Float64Array(size);
    this.#ms = new Float64Array(size);
    this.#failed = new Uint8Array(size);
    this.#part = new Uint8Array(size);
  }

  /** @param start Milliseconds since 1970. */
  add(name: string, start: number, ms: number, how: 'returned' | 'failed' | 'part'): void {
    const at = this.#count++ % this.#size;
    this.#name[at] = this.#numberOf(name);
    this.#start[at] = start;
    this.#ms[at] = ms;
    this.#failed[at] = how === 'failed' ? 1 : 0;
    this.#part[at] = how === 'part' ? 1 : 0;
  }

  /** Copies, oldest span first. */
  columns(): SpanColumns {
    const held = Math.min(this.#count, this.#size);
    const first = this.#count > this.#size ? this.#count % this.#size : 0;
    const places = Array.from({ length: held }, (_, index) => (first + index) % this.#size);
    return {
      names: [...this.#numbers.keys()],
      name: Uint16Array.from(places, (at) => this.#name[at]!),
      start: Float64Array.from(places, (at) => this.#start[at]!),
      ms: Float64Array.from(places, (at) => this.#ms[at]!),
      failed: Uint8Array.from(places, (at) => this.#failed[at]!),
      part: Uint8Array.from(places, (at) => this.#part[at]!),
    };
  }

  clear(): void {
    this.#count = 0;
    this.#numbers.clear();
  }

  #numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    if (this.#numbers.size >= maxNames && name !== otherName) return this.#numberOf(otherName);
    this.#numbers.set(name, this.#numbers.size);
    return this.#numbers.size - 1;
  }
}
