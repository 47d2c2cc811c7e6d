/** Many calls as one stream of results: values are read as far as calls may begin, results wait for their consumer. */

export interface StreamSpec<Value, Item> {
  readonly begin: (value: Value) => Promise<Item>;
  readonly values: Iterable<Value> | AsyncIterable<Value>;
  /** Items in the order of their values; otherwise as they come. */
  readonly ordered: boolean;
  /** Calls that may be under way; as many results again may wait to be taken. */
  readonly width: () => number;
}

interface Entry<Item> {
  /** Until the call is settled. */
  outcome: PromiseSettledResult<Item> | undefined;
}

class Stream<Value, Item> {
  readonly #spec: StreamSpec<Value, Item>;
  readonly #source: Iterator<Value> | AsyncIterator<Value>;
  /** Begun and not yet taken. */
  readonly #entries: Entry<Item>[] = [];
  #reading = false;
  #end: { readonly error?: unknown } | undefined;
  #wake: () => void = () => undefined;

  constructor(spec: StreamSpec<Value, Item>) {
    this.#spec = spec;
    const { values } = spec;
    this.#source =
      Symbol.asyncIterator in values ? values[Symbol.asyncIterator]() : values[Symbol.iterator]();
  }

  async *items(): AsyncGenerator<Item> {
    try {
      while (true) {
        void this.#read();
        const outcome = this.#take();
        if (outcome?.status === 'fulfilled') {
          yield outcome.value;
        } else if (outcome) {
          throw outcome.reason;
        } else if (this.#end && this.#entries.length === 0) {
          if ('error' in this.#end) throw this.#end.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      const isOpen = !this.#end;
      this.#end ??= {};
      if (isOpen) await this.#closeSource();
    }
  }

  /** One that is being read answers only when it has read: it is not waited for. */
  async #closeSource(): Promise<void> {
    const closed = Promise.resolve(this.#source.return?.());
    if (this.#reading) closed.catch(() => undefined);
    else await closed;
  }

  #take(): PromiseSettledResult<Item> | undefined {
    const place = this.#spec.ordered ? 0 : this.#entries.findIndex(({ outcome }) => outcome);
    const outcome = this.#entries[place]?.outcome;
    if (outcome) this.#entries.splice(place, 1);
    return outcome;
  }

  /** Reads values while calls may begin. One reader at a time: iterators need not bear more. */
  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (!this.#end && this.#hasRoom()) {
        const { done, value } = await this.#source.next();
        if (this.#end) return;
        if (done) this.#end = {};
        else this.#begin(value);
      }
    } catch (error) {
      this.#end = { error };
    } finally {
      this.#reading = false;
      this.#wake();
    }
  }

  #hasRoom(): boolean {
    const width = this.#spec.width();
    const underWay = this.#entries.filter(({ outcome }) => !outcome).length;
    return underWay < width && this.#entries.length < 2 * width;
  }

  #begin(value: Value): void {
    const entry: Entry<Item> = { outcome: undefined };
    this.#entries.push(entry);
    void Promise.allSettled([this.#spec.begin(value)]).then(([outcome]) => {
      entry.outcome = outcome;
      this.#wake();
      void this.#read();
    });
  }
}

export const streamOf = <Value, Item>(spec: StreamSpec<Value, Item>): AsyncGenerator<Item> =>
  new Stream(spec).items();
