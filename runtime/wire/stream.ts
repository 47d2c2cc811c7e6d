/** The receiver's side of a streaming call: a bounded window of items, refilled as they are consumed. */

/** Items the producer may be ahead of the consumer. */
export const streamWindow = 64;

export interface StreamControl {
  credit(count: number): void;
  cancel(): void;
}

type State =
  | { readonly phase: 'open' }
  | { readonly phase: 'ended' }
  | { readonly phase: 'failed'; readonly error: Error };

export class InboundStream {
  readonly #control: StreamControl;
  readonly #items: unknown[] = [];
  #state: State = { phase: 'open' };
  #wake: (() => void) | undefined;
  #consumed = 0;

  constructor(control: StreamControl) {
    this.#control = control;
  }

  push(item: unknown): void {
    this.#items.push(item);
    this.#wake?.();
  }

  end(): void {
    if (this.#state.phase === 'open') this.#state = { phase: 'ended' };
    this.#wake?.();
  }

  fail(error: Error): void {
    if (this.#state.phase === 'open') this.#state = { phase: 'failed', error };
    this.#wake?.();
  }

  async *items<Item>(
    signal: AbortSignal | undefined,
    aborted: (signal: AbortSignal) => Error,
  ): AsyncGenerator<Item> {
    let finished = false;
    // Also after an error: it may tell of one item that could not be sent, and the producer still waits for credit.
    const cancel = (): void => {
      if (!finished) this.#control.cancel();
      finished = true;
    };
    // The producer hears of it at once, however long the consumer stays away.
    const onAbort = (): void => {
      this.fail(aborted(signal!));
      cancel();
    };
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      while (true) {
        if (this.#state.phase === 'failed' && signal?.aborted) throw this.#state.error;
        if (this.#items.length > 0) {
          yield this.#items.shift() as Item;
          this.#refill();
        } else if (this.#state.phase === 'open') {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          this.#wake = undefined;
        } else {
          if (this.#state.phase === 'failed') throw this.#state.error;
          finished = true;
          return;
        }
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      cancel();
    }
  }

  #refill(): void {
    this.#consumed++;
    if (this.#consumed < streamWindow / 2) return;
    this.#control.credit(this.#consumed);
    this.#consumed = 0;
  }
}
