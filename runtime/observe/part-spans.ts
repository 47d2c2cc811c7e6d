/** Parts of calls that an actor's code tells of, for timelines. */

export interface PartSpan {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly ms: number;
}

/** One that ends now. @param start By `performance.now` of this thread. */
export const partSpan = (name: string, start: number): PartSpan => ({
  name,
  start: performance.timeOrigin + start,
  ms: performance.now() - start,
});

const gatherMs = 100;
const most = 1_000;

/** Gathers them on an actor's thread, where there may be hundreds in a second. */
export class PartSpans {
  readonly #tell: (spans: readonly PartSpan[]) => void;
  #gathered: PartSpan[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param tell Takes them, ten times a second and when there are many. */
  constructor(tell: (spans: readonly PartSpan[]) => void) {
    this.#tell = tell;
  }

  add(span: PartSpan): void {
    this.#gathered.push(span);
    if (this.#gathered.length >= most) {
      this.flush();
      return;
    }
    this.#timer ??= setTimeout(() => this.flush(), gatherMs).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered.length === 0) return;
    this.#tell(this.#gathered);
    this.#gathered = [];
  }
}
