/** A value that is there or will be: the result of a task, or something put. */

import { nanoid } from 'nanoid';

export class ObjectRef<T> implements PromiseLike<T> {
  readonly id: string = nanoid(12);
  readonly #value: Promise<T>;
  readonly #cancel: (reason: unknown) => void;
  #settled = false;

  /** Made by calls and `put`. */
  constructor(value: Promise<T>, cancel: (reason: unknown) => void = () => undefined) {
    this.#value = value;
    this.#cancel = cancel;
    // Whoever awaits the ref hears of an error; a ref that nobody awaits must not end the process.
    value.then(
      () => {
        this.#settled = true;
      },
      () => {
        this.#settled = true;
      },
    );
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
    return this.#value.then(onValue, onError);
  }

  /** Drops the task if it waits, aborts `context().signal` if it runs. The ref rejects with `E_ABORTED`. */
  cancel(reason?: unknown): void {
    this.#cancel(reason);
  }
}
