/** What a host knows of its actor's calls: when each ran, how often each function did as a task, what was dropped. */

import type { Invoke } from '../actor/executor.js';
import type { ActorRef } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { Peer } from '../wire/peer.js';
import type { PartSpan } from './part-spans.js';
import type { HostTrace, TaskRun } from './reports.js';
import { SpanRing } from './span-ring.js';
import { TaskCounts } from './task-counts.js';
import { endedRuns, newestRuns } from './task-runs.js';

const reportMs = 1_000;

interface Run {
  readonly name: string;
  /** By `performance.now`. */
  readonly start: number;
}

export class HostWatch {
  readonly #endpoint: Endpoint;
  readonly #spans = new SpanRing();
  readonly #tasks = new TaskCounts();
  /** Tasks that run now. */
  readonly #running = new Set<Run>();
  /** On links that are gone, and told to the agent. */
  #droppedBefore = 0;
  #droppedTold = 0;
  #runsTasks = false;
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

  /** Tasks that run, and the last ones that have. */
  runs(ref: ActorRef | undefined, limit: number): readonly TaskRun[] {
    const trace = this.trace(ref);
    if (!trace || !this.#runsTasks) return [];
    const now = performance.now();
    const running = [...this.#running].map(({ name, start }) => ({
      name,
      phase: 'running' as const,
      worker: trace.actor,
      node: '',
      start: performance.timeOrigin + start,
      ms: now - start,
    }));
    return newestRuns([...running, ...endedRuns(trace, limit)], limit);
  }

  /** Parts of calls, of which their code tells. */
  parts(spans: readonly PartSpan[]): void {
    for (const { name, start, ms } of spans) this.#spans.add(name, start, ms, 'part');
  }

  /** The same invocations, watched. */
  watch(invoke: Invoke, what: 'actor' | 'task'): Invoke {
    this.#runsTasks = what === 'task';
    const done = (run: Run, failed: boolean): void => {
      const { name, start } = run;
      const ms = performance.now() - start;
      this.#spans.add(name, performance.timeOrigin + start, ms, failed ? 'failed' : 'returned');
      if (what === 'actor') return;
      this.#running.delete(run);
      this.#tasks.add({ name, finished: failed ? 0 : 1, failed: failed ? 1 : 0 });
    };
    return (method, args, scope) => {
      const run: Run = { name: method, start: performance.now() };
      if (what === 'task') this.#running.add(run);
      let result: unknown;
      try {
        result = invoke(method, args, scope);
      } catch (error) {
        done(run, true);
        throw error;
      }
      if (result instanceof Promise) {
        return result.then(
          (value: unknown) => {
            done(run, false);
            return value;
          },
          (error: unknown) => {
            done(run, true);
            throw error;
          },
        );
      }
      if (isGenerator(result) && scope.stream) {
        return watched(result, (failed) => done(run, failed));
      }
      // A generator that was not asked for as a stream is refused.
      done(run, isGenerator(result));
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
