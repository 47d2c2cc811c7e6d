/** Keeps one actor alive: makes it anew when it dies, later and later, and gives up in the end. */

import { setTimeout as pause } from 'node:timers/promises';
import { EventEmitter } from 'eventemitter3';
import type { ActorHandle, ClusterClient } from '../runtime/index.js';
import { ActorsError } from './errors.js';

export interface SupervisorOptions {
  /** Restarts in a row, before it gives up; -1 for ever. @default 5 */
  readonly maxRestarts?: number;
  /** Before the first restart; twice as long before each that follows. @default 100 */
  readonly firstDelayMs?: number;
  /** No delay is longer. @default 30_000 */
  readonly maxDelayMs?: number;
  /** An actor that lived this long is well again: restarts are counted anew. @default 60_000 */
  readonly wellAfterMs?: number;
  /** Between 0 and 1: where in the upper half of a delay it ends, so that many do not restart at once. @default Math.random */
  readonly jitter?: () => number;
  /** Milliseconds. @default performance.now */
  readonly clock?: () => number;
  /** Rejects when aborted. @default a timer */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Makes the actor; a name of its own is free again when it is called. */
export type MakeActor<T> = (signal: AbortSignal) => Promise<ActorHandle<T>>;

export interface SupervisorEvents<T> {
  /** The actor lives again, after so many restarts in a row. */
  restarted: [actor: ActorHandle<T>, restarts: number];
  /** It died, or could not be made again. */
  died: [cause: Error];
  /** It will be made again after so long. */
  waiting: [delayMs: number];
  /** It will not. */
  ended: [cause: Error];
}

type State<T> =
  | { readonly phase: 'restarting' }
  | { readonly phase: 'alive'; readonly actor: ActorHandle<T> }
  | { readonly phase: 'ended'; readonly cause: ActorsError };

/** Before restart number `restart`, counted from 0. @param jitter Between 0 and 1. */
export function delayOf(
  restart: number,
  jitter: number,
  { firstDelayMs, maxDelayMs }: { readonly firstDelayMs: number; readonly maxDelayMs: number },
): number {
  const whole = Math.min(firstDelayMs * 2 ** restart, maxDelayMs);
  return (whole / 2) * (1 + jitter);
}

export class Supervisor<T> implements AsyncDisposable {
  /** Listeners must not throw. */
  readonly events: EventEmitter<SupervisorEvents<T>> = new EventEmitter();
  readonly #cluster: ClusterClient;
  readonly #make: MakeActor<T>;
  readonly #options: Required<SupervisorOptions>;
  readonly #stop = new AbortController();
  readonly #waiting: { resolve: (actor: ActorHandle<T>) => void; reject: (e: Error) => void }[] =
    [];
  #state: State<T> = { phase: 'restarting' };
  #run: Promise<void> = Promise.resolve();

  private constructor(cluster: ClusterClient, make: MakeActor<T>, options: SupervisorOptions) {
    this.#cluster = cluster;
    this.#make = make;
    this.#options = { ...defaults, ...options };
  }

  /**
   * Make the actor and watch over it. That it can be made at all is no matter of trying again.
   *
   * @throws Whatever `make` throws the first time; ActorsError `E_OPTION`.
   */
  static async start<T>(
    cluster: ClusterClient,
    make: MakeActor<T>,
    options: SupervisorOptions = {},
  ): Promise<Supervisor<T>> {
    const supervisor = new Supervisor(cluster, make, options);
    requirePositive(supervisor.#options);
    const first = await make(supervisor.#stop.signal);
    supervisor.#enter(first);
    supervisor.#run = supervisor.#watch(first);
    return supervisor;
  }

  get phase(): State<T>['phase'] {
    return this.#state.phase;
  }

  /**
   * The actor as it lives now, or as soon as it does again. A call may still find that it has just died.
   *
   * @throws ActorsError `E_GAVE_UP`.
   */
  actor(): Promise<ActorHandle<T>> {
    const state = this.#state;
    if (state.phase === 'alive') return Promise.resolve(state.actor);
    if (state.phase === 'ended') return Promise.reject(state.cause);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  /** Ends the actor too. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #watch(first: ActorHandle<T>): Promise<void> {
    const { signal } = this.#stop;
    const { wellAfterMs, clock } = this.#options;
    let actor: ActorHandle<T> | undefined = first;
    let restarts = 0;
    try {
      while (true) {
        const bornAt = clock();
        const cause = await this.#cluster.untilDead(actor, signal);
        actor = undefined;
        if (clock() - bornAt >= wellAfterMs) restarts = 0;
        this.#died(cause, restarts);
        while (!actor) actor = await this.#remake(restarts++);
        signal.throwIfAborted();
        this.#enter(actor);
        this.events.emit('restarted', actor, restarts);
      }
    } catch (cause) {
      const why = signal.aborted ? 'it was closed' : `${restarts} restarts in a row`;
      this.#end(new ActorsError('E_GAVE_UP', `the supervisor has ended: ${why}`, { cause }));
      // With the head gone its actors are gone too.
      await actor?.kill().catch(() => undefined);
    }
  }

  /** Undefined if it failed and may be tried again. */
  async #remake(restarts: number): Promise<ActorHandle<T> | undefined> {
    const { signal } = this.#stop;
    const { jitter, sleep } = this.#options;
    const delayMs = delayOf(restarts, jitter(), this.#options);
    this.events.emit('waiting', delayMs);
    await sleep(delayMs, signal);
    try {
      return await this.#make(signal);
    } catch (cause) {
      signal.throwIfAborted();
      this.#died(cause as Error, restarts + 1);
      return undefined;
    }
  }

  /** @throws The cause, if there may be no further restart. */
  #died(cause: Error, restarts: number): void {
    const { maxRestarts } = this.#options;
    this.#state = { phase: 'restarting' };
    this.events.emit('died', cause);
    if (maxRestarts >= 0 && restarts >= maxRestarts) throw cause;
  }

  #enter(actor: ActorHandle<T>): void {
    this.#state = { phase: 'alive', actor };
    for (const { resolve } of this.#waiting.splice(0)) resolve(actor);
  }

  #end(cause: ActorsError): void {
    this.#state = { phase: 'ended', cause };
    for (const { reject } of this.#waiting.splice(0)) reject(cause);
    this.events.emit('ended', cause);
  }
}

const defaults: Required<SupervisorOptions> = {
  maxRestarts: 5,
  firstDelayMs: 100,
  maxDelayMs: 30_000,
  wellAfterMs: 60_000,
  jitter: Math.random,
  clock: () => performance.now(),
  sleep: (ms, signal) => pause(ms, undefined, { signal }),
};

function requirePositive(options: Required<SupervisorOptions>): void {
  const { maxRestarts, firstDelayMs, maxDelayMs, wellAfterMs } = options;
  if (!Number.isInteger(maxRestarts) || maxRestarts < -1) {
    throw new ActorsError('E_OPTION', `maxRestarts ${maxRestarts} must be a whole number, or -1`);
  }
  for (const [name, value] of Object.entries({ firstDelayMs, maxDelayMs, wellAfterMs })) {
    if (!(value >= 0)) throw new ActorsError('E_OPTION', `${name} ${value} must not be negative`);
  }
}
