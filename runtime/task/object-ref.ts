/** A value that is there or will be: the result of a task, or something put. */

import { nanoid } from 'nanoid';

export interface ObjectRefOptions {
  readonly cancel?: (reason: unknown) => void;
  /** Told when somebody begins to wait for the value; the returned function says that he waits no more. */
  readonly waits?: () => () => void;
}

export class ObjectRef<T> implements PromiseLike<T> {
  readonly id: string = nanoid(12);
  readonly #value: Promise<T>;
  readonly #options: ObjectRefOptions;
  #settled = false;

  /** Made by calls and `put`. */
  constructor(value: Promise<T>, options: ObjectRefOptions = {}) {
    this.#value = value;
    this.#options = options;
    const settled = (): void => {
      this.#settled = true;
    };
    // Whoever awaits the ref hears of an error; a ref that nobody awaits must not end the process.
    value.then(settled, settled);
  }

  /** The value has arrived, or will not. */
  get isSettled(): boolean {
    return this.#settled;
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a ref is the point of it
  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (this.#settled || !this.#options.waits) return this.#value.then(onValue, onError);
    const done = this.#options.waits();
    this.#value.then(done, done);
    return this.#value.then(onValue, onError);
  }

  /** Drops the task if it waits, aborts `context().signal` if it runs. The ref rejects with `E_ABORTED`. */
  cancel(reason?: unknown): void {
    this.#options.cancel?.(reason);
  }
}
