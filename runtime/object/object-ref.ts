/**
 * A value that is there or will be: the result of a task, or something put. It can be passed on to other processes, which
 * fetch the value from its owner when they want it. Values are immutable: nobody changes what a ref holds.
 */

import type { ObjectLocator } from '../wire/address.js';
import { Exportable } from '../wire/value.js';

export interface ObjectRefOptions<T> {
  readonly id: string;
  /** Called once, when somebody wants the value for the first time. */
  readonly fetch: () => Promise<T>;
  /** The place of the value for others; from now on its owner keeps it for them. */
  readonly locate: () => ObjectLocator;
  readonly cancel?: (reason: unknown) => void;
  /** Told when somebody begins to wait for the value; the returned function says that he waits no more. */
  readonly waits?: (() => () => void) | undefined;
}

export class ObjectRef<T> extends Exportable implements PromiseLike<T> {
  readonly id: string;
  readonly #options: ObjectRefOptions<T>;
  #value: Promise<T> | undefined;
  #settled = false;

  /** Made by calls of tasks, by `put`, and on arrival from elsewhere. */
  constructor(options: ObjectRefOptions<T>) {
    super();
    this.id = options.id;
    this.#options = options;
  }

  /** The value is here, or will not come. */
  get isSettled(): boolean {
    return this.#settled;
  }

  /** The value, fetched if need be. */
  value(): Promise<T> {
    if (!this.#value) {
      this.#value = this.#options.fetch();
      const settled = (): void => {
        this.#settled = true;
      };
      // Whoever awaits the ref hears of an error; a ref that nobody awaits must not end the process.
      this.#value.then(settled, settled);
    }
    return this.#value;
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a ref is the point of it
  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const value = this.value();
    if (!this.#settled && this.#options.waits) {
      const done = this.#options.waits();
      value.then(done, done);
    }
    return value.then(onValue, onError);
  }

  /** Drops the task if it waits, aborts `context().signal` if it runs. The ref rejects with `E_ABORTED`. */
  cancel(reason?: unknown): void {
    this.#options.cancel?.(reason);
  }

  override locate(): ObjectLocator {
    return this.#options.locate();
  }
}
