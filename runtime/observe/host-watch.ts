/** What a host knows of its actor's calls: when each ran, how often each function did as a task, what was dropped. */

import type { Invoke } from '../actor/executor.js';
import type { ActorRef } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { Peer } from '../wire/peer.js';
import type { HostTrace } from './reports.js';
import { SpanRing } from './span-ring.js';
import { TaskCounts } from './task-counts.js';

const reportMs = 1_000;

export class HostWatch {
  readonly #endpoint: Endpoint;
  readonly #spans = new SpanRing();
  readonly #tasks = new TaskCounts();
  /** On links that are gone, and told to the agent. */
  #droppedBefore = 0;
  #droppedTold = 0;
  #agent: Peer | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** A link is gone. */
  left(peer: Peer): void {
    this.#droppedBefore += peer.traffic.latestDropped;
  }

  /** Tell the agent of changes, once a second. */
  reportTo(agent: Peer): void {
    this.#agent = agent;
    this.#timer = setInterval(() => this.report(), reportMs);
    this.#timer.unref();
  }

  report(): void {
    const dropped = [...this.#endpoint.peers.values()].reduce(
      (sum, { traffic }) => sum + traffic.latestDropped,
      this.#droppedBefore,
    );
    const latestDropped = dropped - this.#droppedTold;
    if (this.#tasks.isEmpty && latestDropped === 0) return;
    this.#droppedTold = dropped;
    this.#agent?.send({ kind: 'host.stats', tasks: this.#tasks.list(), latestDropped });
    this.#tasks.clear();
  }

  /** @param ref The actor that lives here, if there is one yet. */
  trace(ref: ActorRef | undefined): HostTrace | undefined {
    if (!ref) return undefined;
    return { actor: ref.actor, label: ref.label, pid: process.pid, ...this.#spans.columns() };
  }

  /** The trace so far; the next actor of this process begins a new one. */
  handOver(ref: ActorRef): HostTrace | undefined {
    const trace = this.trace(ref);
    this.#spans.clear();
    return trace;
  }

  /** The same invocations, watched. */
  watch(invoke: Invoke, what: 'actor' | 'task'): Invoke {
    const done = (name: string, start: number, failed: boolean): void => {
      this.#spans.add(name, performance.timeOrigin + start, performance.now() - start, failed);
      if (what === 'actor') return;
      this.#tasks.add({ name, finished: failed ? 0 : 1, failed: failed ? 1 : 0 });
    };
    return (method, args, scope) => {
      const start = performance.now();
      let result: unknown;
      try {
        result = invoke(method, args, scope);
      } catch (error) {
        done(method, start, true);
        throw error;
      }
      if (result instanceof Promise) {
        return result.then(
          (value: unknown) => {
            done(method, start, false);
            return value;
          },
          (error: unknown) => {
            done(method, start, true);
            throw error;
          },
        );
      }
      if (isGenerator(result)) return watched(result, (failed) => done(method, start, failed));
      done(method, start, false);
      return result;
    };
  }
}

const isGenerator = (value: unknown): value is AsyncGenerator =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value && 'next' in value;

async function* watched(
  generator: AsyncGenerator,
  done: (failed: boolean) => void,
): AsyncGenerator {
  let failed = false;
  try {
    yield* generator;
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    done(failed);
  }
}
