/**
 * Leases of one kind: processes that run tasks of one module within given resources. A lease is kept while there is
 * work and a little beyond, and several short tasks are under way on it at once, so that a warm task costs what a call to
 * an actor costs.
 */

import Queue from 'yocto-queue';
import { ActorLostError, RuntimeError } from '../errors.js';
import type { NodeId } from '../ids.js';

/** One process that runs tasks. */
export interface Lease {
  readonly node: NodeId;
  close(): void;
}

export interface LeasePoolOptions<L extends Lease> {
  /** Asks the head for a lease, on the node `near` now or not at all; aborting gives up waiting. */
  readonly open: (signal: AbortSignal, near?: NodeId) => Promise<L>;
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

/** Jobs that wait for leases of one kind, and the leases asked for them. */
interface Line<L> {
  /** Only on this node; undefined for any. */
  readonly near: NodeId | undefined;
  readonly waiting: Queue<Job<L>>;
  readonly asked: Set<AbortController>;
}

/** Leases asked for at once: as many as are held, so that they double while there is work, within these limits. */
const minAsked = 2;
const maxAsked = 64;
/** So much work may be under way on one lease: enough to hide a round trip. */
const pipelineMs = 2;
const maxUnderWay = 1_000;
/** A node without room is asked again after this long. */
const fullMs = 100;
/** Weight of the newest measurement. */
const newest = 0.2;

/** A process that is gone takes its lease with it. */
export const isLost = (error: unknown): boolean => error instanceof ActorLostError;

export class LeasePool<L extends Lease> {
  readonly #options: LeasePoolOptions<L>;
  readonly #clock: () => number;
  readonly #line: Line<L> = newLine();
  /** Of jobs that had better run on a node, where their arguments are; few and short-lived. */
  readonly #near = new Map<NodeId, Line<L>>();
  /** Until when a node that had no room is not asked again. */
  readonly #full = new Map<NodeId, number>();
  readonly #held = new Set<Held<L>>();

  constructor(options: LeasePoolOptions<L>) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  /**
   * Runs `run` on a lease, sooner or later. Rejects as it does, or with why there is no lease.
   *
   * @param near On this node if there is a lease with room, or the node has room for one more; otherwise anywhere.
   */
  submit<Value>(run: (lease: L) => Promise<Value>, near?: NodeId): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      const line = near === undefined ? this.#line : this.#lineTo(near);
      line.waiting.enqueue({ run, resolve, reject });
      this.#pump();
    });
  }

  #lineTo(near: NodeId): Line<L> {
    const known = this.#near.get(near);
    if (known) return known;
    const line = newLine<L>(near);
    this.#near.set(near, line);
    return line;
  }

  /** Gives all leases back; what waits is rejected. */
  close(): void {
    for (const line of [this.#line, ...this.#near.values()]) {
      refuse(line, new RuntimeError('E_CLOSED', 'the cluster was closed'));
      for (const asked of line.asked) asked.abort();
    }
    for (const held of this.#held) this.#drop(held);
  }

  #pump(): void {
    // The common case is that there are none.
    if (this.#near.size > 0) this.#pumpNear();
    this.#startWaiting(this.#line);
    this.#askFor(this.#line);
  }

  #pumpNear(): void {
    for (const [near, line] of this.#near) {
      this.#startWaiting(line);
      if (line.waiting.size > 0 && this.#isFull(near)) {
        for (const job of line.waiting.drain()) this.#line.waiting.enqueue(job);
      }
      this.#askFor(line);
      if (line.waiting.size === 0) this.#near.delete(near);
    }
  }

  #isFull(near: NodeId): boolean {
    const until = this.#full.get(near);
    if (until === undefined) return false;
    if (this.#clock() < until) return true;
    this.#full.delete(near);
    return false;
  }

  #startWaiting({ waiting, near }: Line<L>): void {
    while (waiting.size > 0) {
      const held = this.#roomiest(near);
      if (!held) break;
      this.#start(held, waiting.dequeue()!);
    }
  }

  #askFor(line: Line<L>): void {
    const { waiting, asked } = line;
    const ramp = Math.min(Math.max(this.#held.size, minAsked), maxAsked);
    const wanted = Math.min(waiting.size, ramp);
    while (asked.size < wanted) void this.#ask(line);
    for (const one of asked) {
      if (asked.size <= wanted) break;
      asked.delete(one);
      one.abort();
    }
  }

  /** The lease with the least under way, if it may have more. */
  #roomiest(near: NodeId | undefined): Held<L> | undefined {
    let best: Held<L> | undefined;
    for (const held of this.#held) {
      if (near !== undefined && held.lease.node !== near) continue;
      if (!best || held.underWay < best.underWay) best = held;
    }
    return best && best.underWay < depthOf(best) ? best : undefined;
  }

  async #ask(line: Line<L>): Promise<void> {
    const { near } = line;
    const asked = new AbortController();
    line.asked.add(asked);
    try {
      const lease = await this.#options.open(asked.signal, near);
      if (!line.asked.delete(asked)) {
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
      // Given up on purpose?
      if (!line.asked.delete(asked)) return;
      if (near === undefined) {
        // For all that wait alike.
        refuse(line, error);
        return;
      }
      // Whatever else is wrong they will hear elsewhere.
      this.#full.set(near, this.#clock() + fullMs);
      this.#pump();
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
    } else if (held.underWay === 0 && this.#line.waiting.size === 0) {
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
}

const newLine = <L>(near?: NodeId): Line<L> => ({ near, waiting: new Queue(), asked: new Set() });

function refuse({ waiting }: Line<never>, error: unknown): void {
  for (const job of waiting.drain()) job.reject(error);
}

/** One at a time until it is known to be short. */
function depthOf({ serviceMs }: Held<unknown>): number {
  if (serviceMs === undefined) return 1;
  return Math.min(Math.max(Math.floor(pipelineMs / Math.max(serviceMs, 1e-3)), 1), maxUnderWay);
}
