/** A pool of like actors: work goes to whichever is idle, one call at a time each. */

import { type ActorHandle, ActorLostError } from '../runtime/index.js';
import { ActorsError } from './errors.js';
import { streamOf } from './pool-stream.js';

export interface PoolOptions {
  /**
   * When an actor dies under a call, make the call on another: then it may run twice. Otherwise the error is the result
   * of that call. @default false
   */
  readonly retryOnDeath?: boolean;
}

/** What is asked of an actor for each value: `(actor, value) => actor.render(value)`. */
export type PoolCall<T, Value, Result> = (actor: ActorHandle<T>, value: Value) => Promise<Result>;

/** In the order in which they were made, or as they come. */
export type PoolSource<Value> = Iterable<Value> | AsyncIterable<Value>;

interface Due {
  readonly result: Promise<unknown>;
  /** Resolves with this entry once it is settled, however. */
  readonly settled: Promise<Due>;
}

export class ActorPool<T> {
  readonly #options: PoolOptions;
  readonly #idle: ActorHandle<T>[];
  readonly #waiting: Waiting<ActorHandle<T>>[] = [];
  /** Submitted and not yet asked for, in order of submission. */
  readonly #due: Due[] = [];
  #size: number;
  #lastDeath: unknown;

  /** The pool does not own its actors: whoever made them ends them. */
  constructor(actors: readonly ActorHandle<T>[], options: PoolOptions = {}) {
    this.#idle = [...actors];
    this.#size = actors.length;
    this.#options = options;
  }

  /** Actors that live, as far as the pool has noticed. */
  get size(): number {
    return this.#size;
  }

  /** Whether a submitted call would begin at once. */
  get hasFree(): boolean {
    return this.#idle.length > 0;
  }

  /** Whether a result is still to be asked for by `getNext` or `getNextUnordered`. */
  get hasNext(): boolean {
    return this.#due.length > 0;
  }

  /**
   * Results in the order of the values. Values are read as actors become idle, at most two for each actor ahead of the
   * consumer. A failed call throws at its place and ends the iteration; calls under way finish, and the pool goes on.
   *
   * @throws ActorsError `E_NO_ACTOR` if all actors have died.
   */
  map<Value, Result>(
    call: PoolCall<T, Value, Result>,
    values: PoolSource<Value>,
  ): AsyncGenerator<Result> {
    return this.#stream((value) => this.#run(call, value), values, true);
  }

  /** As `map`, but each result as soon as it is there. */
  mapUnordered<Value, Result>(
    call: PoolCall<T, Value, Result>,
    values: PoolSource<Value>,
  ): AsyncGenerator<Result> {
    return this.#stream((value) => this.#run(call, value), values, false);
  }

  /** As `map`, but a failed call is an item like any other, and the rest goes on. */
  mapSettled<Value, Result>(
    call: PoolCall<T, Value, Result>,
    values: PoolSource<Value>,
  ): AsyncGenerator<PromiseSettledResult<Result>> {
    return this.#stream(
      async (value) => (await Promise.allSettled([this.#run(call, value)]))[0],
      values,
      true,
    );
  }

  /** Begins when an actor is idle. Its result is asked for by `getNext` or `getNextUnordered`. */
  submit<Value, Result>(call: PoolCall<T, Value, Result>, value: Value): void {
    const result = this.#run(call, value);
    const settled = result.then(
      () => due,
      () => due,
    );
    const due: Due = { result, settled };
    this.#due.push(due);
  }

  /**
   * The result of the earliest submitted call that was not asked for yet, or its error.
   *
   * @throws ActorsError `E_POOL_STATE` if there is none; see `hasNext`.
   */
  async getNext<Result>(): Promise<Result> {
    const due = this.#due.shift();
    if (!due) throw nothingDue();
    return (await due.result) as Result;
  }

  /** As `getNext`, but of whichever is done first. */
  async getNextUnordered<Result>(): Promise<Result> {
    while (this.#due.length > 0) {
      const due = await Promise.race(this.#due.map(({ settled }) => settled));
      const place = this.#due.indexOf(due);
      // Somebody else asked meanwhile and has got it.
      if (place < 0) continue;
      this.#due.splice(place, 1);
      return (await due.result) as Result;
    }
    throw nothingDue();
  }

  /** Add an actor, or one that `popIdle` gave out. */
  push(actor: ActorHandle<T>): void {
    this.#size++;
    this.#release(actor);
  }

  /** Take an idle actor out of the pool, if there is one. */
  popIdle(): ActorHandle<T> | undefined {
    const actor = this.#idle.shift();
    if (actor) this.#size--;
    return actor;
  }

  #stream<Value, Item>(
    begin: (value: Value) => Promise<Item>,
    values: PoolSource<Value>,
    ordered: boolean,
  ): AsyncGenerator<Item> {
    return streamOf({ begin, values, ordered, width: () => Math.max(this.#size, 1) });
  }

  async #run<Value, Result>(call: PoolCall<T, Value, Result>, value: Value): Promise<Result> {
    while (true) {
      const actor = await this.#acquire();
      try {
        const result = await call(actor, value);
        this.#release(actor);
        return result;
      } catch (error) {
        if (!(error instanceof ActorLostError)) {
          this.#release(actor);
          throw error;
        }
        if (error.isRestarted) this.#release(actor);
        else this.#bury(error);
        if (!this.#options.retryOnDeath) throw error;
      }
    }
  }

  #acquire(): Promise<ActorHandle<T>> {
    const actor = this.#idle.shift();
    if (actor) return Promise.resolve(actor);
    if (this.#size === 0) return Promise.reject(this.#noActor());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  #release(actor: ActorHandle<T>): void {
    const next = this.#waiting.shift();
    if (next) next.resolve(actor);
    else this.#idle.push(actor);
  }

  #bury(death: ActorLostError): void {
    this.#size--;
    this.#lastDeath = death;
    if (this.#size > 0) return;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#noActor());
  }

  #noActor(): ActorsError {
    const cause = this.#lastDeath;
    const text = cause ? 'every actor of the pool has died' : 'the pool has no actors';
    return new ActorsError('E_NO_ACTOR', text, cause ? { cause } : {});
  }
}

interface Waiting<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: Error) => void;
}

const nothingDue = (): ActorsError =>
  new ActorsError('E_POOL_STATE', 'no submitted call is left whose result could be asked for');
