/**
 * Leases of one kind: processes that run tasks of one module within given resources. A lease is kept while there is
 * work and a little beyond, and several short tasks are under way on it at once, so that a warm task costs what a call to
 * an actor costs.
 */

import Queue from 'yocto-queue';
import { ActorLostError, RuntimeError } from '../errors.js';

/** One process that runs tasks. */
export interface Lease {
  close(): void;
}

export interface LeasePoolOptions<L extends Lease> {
  /** Asks the head for a lease; aborting gives up waiting. */
  readonly open: (signal: AbortSignal) => Promise<L>;
  /** An idle lease is given back after this long. @default 500 */
  readonly idleMs?: number;
  /** A lease is given back after so many tasks, for code that leaks. @default never */
  readonly maxCalls?: number;
  /** Milliseconds. @default performance.now */
  readonly clock?: () => number;
}

interface Job<L> {
  readonly run: (lease: L) => Promise<unknown>;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

interface Held<L> {
  readonly lease: L;
  underWay: number;
  calls: number;
  /** Time the process needs for a task, averaged; unknown before the first. */
  serviceMs: number | undefined;
  lastDone: number;
  idle: NodeJS.Timeout | undefined;
}

/** Leases asked for at once: as many as are held, so that they double while there is work, within these limits. */
const minAsked = 2;
const maxAsked = 64;
/** So much work may be under way on one lease: enough to hide a round trip. */
const pipelineMs = 2;
const maxUnderWay = 1_000;
/** Weight of the newest measurement. */
const newest = 0.2;

/** A process that is gone takes its lease with it. */
export const isLost = (error: unknown): boolean => error instanceof ActorLostError;

export class LeasePool<L extends Lease> {
  readonly #options: LeasePoolOptions<L>;
  readonly #clock: () => number;
  readonly #waiting = new Queue<Job<L>>();
  readonly #held = new Set<Held<L>>();
  readonly #asked = new Set<AbortController>();

  constructor(options: LeasePoolOptions<L>) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  /** Runs `run` on a lease, sooner or later. Rejects as it does, or with why there is no lease. */
  submit<Value>(run: (lease: L) => Promise<Value>): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      this.#waiting.enqueue({ run, resolve, reject });
      this.#pump();
    });
  }

  /** Gives all leases back; what waits is rejected. */
  close(): void {
    this.#refuse(new RuntimeError('E_CLOSED', 'the cluster was closed'));
    for (const held of this.#held) this.#drop(held);
    for (const asked of this.#asked) asked.abort();
  }

  #pump(): void {
    while (this.#waiting.size > 0) {
      const held = this.#roomiest();
      if (!held) break;
      this.#start(held, this.#waiting.dequeue()!);
    }
    const ramp = Math.min(Math.max(this.#held.size, minAsked), maxAsked);
    const wanted = Math.min(this.#waiting.size, ramp);
    while (this.#asked.size < wanted) void this.#ask();
    for (const asked of this.#asked) {
      if (this.#asked.size <= wanted) break;
      this.#asked.delete(asked);
      asked.abort();
    }
  }

  /** The lease with the least under way, if it may have more. */
  #roomiest(): Held<L> | undefined {
    let best: Held<L> | undefined;
    for (const held of this.#held) {
      if (!best || held.underWay < best.underWay) best = held;
    }
    return best && best.underWay < depthOf(best) ? best : undefined;
  }

  async #ask(): Promise<void> {
    const asked = new AbortController();
    this.#asked.add(asked);
    try {
      const lease = await this.#options.open(asked.signal);
      if (!this.#asked.delete(asked)) {
        lease.close();
        return;
      }
      const held: Held<L> = {
        lease,
        underWay: 0,
        calls: 0,
        serviceMs: undefined,
        lastDone: 0,
        idle: undefined,
      };
      this.#held.add(held);
      this.#pump();
      if (held.underWay === 0) this.#rest(held);
    } catch (error) {
      // Given up on purpose, or refused for all that wait alike.
      if (this.#asked.delete(asked)) this.#refuse(error);
    }
  }

  #start(held: Held<L>, job: Job<L>): void {
    clearTimeout(held.idle);
    held.underWay++;
    held.calls++;
    const started = this.#clock();
    if (held.calls === this.#options.maxCalls) this.#held.delete(held);
    job.run(held.lease).then(
      (value) => {
        job.resolve(value as never);
        this.#done(held, started);
      },
      (error: unknown) => {
        if (isLost(error)) this.#held.delete(held);
        job.reject(error);
        this.#done(held, started);
      },
    );
  }

  #done(held: Held<L>, started: number): void {
    const now = this.#clock();
    const tookMs = now - Math.max(started, held.lastDone);
    held.serviceMs =
      held.serviceMs === undefined ? tookMs : held.serviceMs + newest * (tookMs - held.serviceMs);
    held.lastDone = now;
    held.underWay--;
    if (!this.#held.has(held)) {
      if (held.underWay === 0) held.lease.close();
    } else if (held.underWay === 0 && this.#waiting.size === 0) {
      this.#rest(held);
    }
    this.#pump();
  }

  #rest(held: Held<L>): void {
    held.idle = setTimeout(() => this.#drop(held), this.#options.idleMs ?? 500);
    held.idle.unref();
  }

  #drop(held: Held<L>): void {
    clearTimeout(held.idle);
    if (this.#held.delete(held)) held.lease.close();
  }

  #refuse(error: unknown): void {
    for (const job of this.#waiting.drain()) job.reject(error);
  }
}

/** One at a time until it is known to be short. */
function depthOf({ serviceMs }: Held<unknown>): number {
  if (serviceMs === undefined) return 1;
  return Math.min(Math.max(Math.floor(pipelineMs / Math.max(serviceMs, 1e-3)), 1), maxUnderWay);
}
