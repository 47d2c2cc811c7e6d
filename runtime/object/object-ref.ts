/**
 * A value that is there or will be: the result of a task, or something put. It can be passed on to other processes, which
 * fetch the value when they want it. Values are immutable: nobody changes what a ref holds.
 */

import { RuntimeError } from '../errors.js';
import { type ObjectLocator, ObjectPlace } from '../wire/address.js';
import { Exportable } from '../wire/value.js';

export interface ObjectRefOptions<T> {
  readonly id: string;
  /**
   * The value, or the place in a store where it lies. Called when somebody wants to know for the first time, and again with
   * a place where it was looked for in vain.
   */
  readonly find: (lost?: ObjectPlace) => Promise<T | ObjectPlace>;
  /** The value at a place. */
  readonly read: (place: ObjectPlace) => Promise<T>;
  /** Whether a value can be read again for nothing, and keeps memory from others as long as it is held. */
  readonly isMapped?: (value: unknown) => boolean;
  /** Told of each place. */
  readonly placed?: (ref: ObjectRef<unknown>, place: ObjectPlace) => void;
  /** How others know it; from now on its owner keeps it for them. */
  readonly locate: (place: ObjectPlace | undefined) => ObjectLocator;
  readonly cancel?: (reason: unknown) => void;
  /** Told when somebody begins to wait for the value; the returned function says that he waits no more. */
  readonly waits?: (() => () => void) | undefined;
}

const ignore = (): void => undefined;

export class ObjectRef<T> extends Exportable implements PromiseLike<T> {
  readonly id: string;
  readonly #options: ObjectRefOptions<T>;
  #found: Promise<T | ObjectPlace> | undefined;
  #place: ObjectPlace | undefined;
  /** A value in shared memory is held by those who use it, not by the ref. */
  #value: Promise<T> | undefined;
  #mapped: WeakRef<T & object> | undefined;
  #settled = false;

  /** Made by calls of tasks, by `put`, and on arrival from elsewhere. */
  constructor(options: ObjectRefOptions<T>) {
    super();
    this.id = options.id;
    this.#options = options;
  }

  /** The value is there, or will not come. */
  get isSettled(): boolean {
    return this.#settled;
  }

  /** Where it lies, if that is known and it is in a store. */
  get place(): ObjectPlace | undefined {
    return this.#place;
  }

  /** The value, fetched if need be. */
  value(): Promise<T> {
    if (this.#value !== undefined) return this.#value;
    const known = this.#mapped?.deref();
    if (known) return Promise.resolve(known);
    const value = this.found().then((found) =>
      found instanceof ObjectPlace ? this.#readOnce(found) : found,
    );
    this.#value = value;
    // Whoever awaits the ref hears of an error; a ref that nobody awaits must not end the process.
    value.catch(ignore);
    return value;
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a ref is the point of it
  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const value = this.value();
    if (!this.#settled) this.#tellWaiting(value);
    return value.then(onValue, onError);
  }

  /** For the runtime: the value or its place, which is not read. */
  found(): Promise<T | ObjectPlace> {
    if (!this.#found) this.#find();
    return this.#found!;
  }

  /** For the runtime: the same, when it was not at the place with this key. */
  async foundAfter(lost: string): Promise<T | ObjectPlace> {
    const found = await this.found();
    if (!(found instanceof ObjectPlace) || found.key !== lost) return found;
    // Others may have asked meanwhile.
    if (this.#place === found) this.#find(found);
    return this.#found!;
  }

  /** For the runtime: resolves, like `found`, once the value is there. Tells that somebody waits. */
  settled(): Promise<unknown> {
    const found = this.found();
    if (!this.#settled) this.#tellWaiting(found);
    return found;
  }

  /** For the runtime: its owner has given it up. What is in this process's own memory stays. */
  drop(): void {
    if (!this.#place) return;
    const error = new RuntimeError('E_OBJECT_LOST', `object ${this.id} was freed`);
    this.#place = undefined;
    this.#mapped = undefined;
    this.#value = undefined;
    this.#found = Promise.reject(error);
    this.#found.catch(() => undefined);
  }

  /** Drops the task if it waits, aborts `context().signal` if it runs. The ref rejects with `E_ABORTED`. */
  cancel(reason?: unknown): void {
    this.#options.cancel?.(reason);
  }

  override locate(): ObjectLocator {
    return this.#options.locate(this.#place);
  }

  #find(lost?: ObjectPlace): void {
    this.#place = undefined;
    const found = this.#options.find(lost);
    this.#found = found;
    found.then(
      (is) => {
        this.#settled = true;
        if (is instanceof ObjectPlace && this.#found === found) this.#placeAt(is);
      },
      () => {
        this.#settled = true;
      },
    );
  }

  #placeAt(place: ObjectPlace): void {
    this.#place = place;
    this.#options.placed?.(this, place);
  }

  /** For all who wait now. */
  async #readOnce(place: ObjectPlace): Promise<T> {
    const reading = this.#value;
    try {
      const value = await this.#read(place);
      if (!this.#options.isMapped?.(value)) return value;
      this.#mapped = new WeakRef(value as T & object);
      if (this.#value === reading) this.#value = undefined;
      return value;
    } catch (error) {
      // A store may be reached next time.
      if (this.#value === reading) this.#value = undefined;
      throw error;
    }
  }

  async #read(place: ObjectPlace): Promise<T> {
    let at: T | ObjectPlace = place;
    while (at instanceof ObjectPlace) {
      try {
        return await this.#options.read(at);
      } catch (error) {
        if (!(error instanceof RuntimeError && error.code === 'E_OBJECT_LOST')) throw error;
        const { key } = at;
        // It may have to be made again, by somebody who needs the processor that this one holds.
        const done = this.#options.waits?.();
        try {
          at = await this.foundAfter(key);
        } finally {
          done?.();
        }
        if (at instanceof ObjectPlace && at.key === key) throw error;
      }
    }
    return at;
  }

  #tellWaiting(promise: Promise<unknown>): void {
    const done = this.#options.waits?.();
    if (done) promise.then(done, done);
  }
}
