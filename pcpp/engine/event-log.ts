/** Events that anyone may read from the beginning, at any time, also several readers. */

type State =
  | { readonly phase: 'open' }
  | { readonly phase: 'ended' }
  | { readonly phase: 'failed'; readonly error: unknown };

export class EventLog<Event> implements AsyncIterable<Event> {
  readonly #events: Event[] = [];
  #state: State = { phase: 'open' };
  #waiting: (() => void)[] = [];

  push(event: Event): void {
    this.#events.push(event);
    this.#wake();
  }

  end(): void {
    this.#state = { phase: 'ended' };
    this.#wake();
  }

  /** Readers get what is left, then the error. */
  fail(error: unknown): void {
    this.#state = { phase: 'failed', error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event> {
    for (let next = 0; ; ) {
      const event = this.#events[next];
      if (next < this.#events.length) {
        next++;
        yield event as Event;
      } else if (this.#state.phase === 'open') {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      } else if (this.#state.phase === 'failed') {
        throw this.#state.error;
      } else {
        return;
      }
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
