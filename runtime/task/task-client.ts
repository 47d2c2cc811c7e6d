/** Submits tasks: waits for their arguments, runs them on leases, tries again when a process dies. */

import type { Outbound } from '../actor/handle.js';
import { placementSpec } from '../client/placement-options.js';
import { RuntimeError } from '../errors.js';
import type { CodeId, NodeId } from '../ids.js';
import type { ObjectRef } from '../object/object-ref.js';
import type { Objects } from '../object/objects.js';
import { defaultNamespace } from '../wire/actor-spec.js';
import { type ActorRef, ObjectPlace } from '../wire/address.js';
import type { Peer } from '../wire/peer.js';
import { type ActorProxy, encodeValue } from '../wire/value.js';
import { isRef, nearOf, resolved } from './arguments.js';
import { isLost, type Lease, LeasePool } from './lease-pool.js';
import { Lineage, type Origin, type Recipe } from './lineage.js';
import { type TaskOptions, taskDefaults } from './task-options.js';
import { TaskStop } from './task-stop.js';

export interface Task {
  readonly code: CodeId;
  readonly exportName: string;
  readonly args: readonly unknown[];
  readonly options: TaskOptions;
}

export interface TaskClientOptions {
  readonly head: () => Promise<Peer>;
  readonly outbound: Outbound;
  readonly objects: Objects;
  /** Where names are given and looked up. @default 'default' */
  readonly namespace?: string;
}

class WorkerLease implements Lease {
  readonly #ref: ActorRef;
  readonly #outbound: Outbound;

  constructor(ref: ActorRef, outbound: Outbound) {
    this.#ref = ref;
    this.#outbound = outbound;
  }

  get node(): NodeId {
    return this.#ref.node;
  }

  call(name: string, args: readonly unknown[], signal: AbortSignal): Promise<unknown> {
    return this.#outbound.call(this.#ref, name, args, signal);
  }

  stream(name: string, args: readonly unknown[], signal: AbortSignal): AsyncGenerator<unknown> {
    return this.#outbound.stream(this.#ref, name, args, signal);
  }

  close(): void {
    // A head that is gone has ended the lease already.
    this.#outbound.kill(this.#ref).catch(() => undefined);
  }
}

export class TaskClient {
  readonly namespace: string;
  readonly #head: () => Promise<Peer>;
  readonly #outbound: Outbound;
  readonly #objects: Objects;
  readonly #pools = new Map<string, LeasePool<WorkerLease>>();
  /** The same by the options of a remote function, which most calls share. */
  #poolOf = new WeakMap<
    TaskOptions,
    { readonly code: CodeId; readonly pool: LeasePool<WorkerLease> }
  >();
  readonly #lineage = new Lineage();

  constructor(options: TaskClientOptions) {
    const { head, outbound, objects, namespace = defaultNamespace } = options;
    this.namespace = namespace;
    this.#head = head;
    this.#outbound = outbound;
    this.#objects = objects;
  }

  submit(task: Task, stop: TaskStop = new TaskStop(task.options)): ObjectRef<unknown> {
    const { exportName, options } = task;
    const made = stop.settle(this.#attempts(task, stop), exportName, options.timeoutMs);
    const origin: Origin = {};
    const ref = this.#objects.own<unknown>((lost) => (lost ? this.#again(lost, origin) : made), {
      cancel: (reason) => stop.stop(reason),
    });
    this.#noteOrigin(ref, origin, made, task);
    return ref;
  }

  /**
   * A ref for each element of what the task returns.
   *
   * @throws RuntimeError `E_OPTION`; the refs reject with it if the task returns anything but `count` values.
   */
  submitSeveral(task: Task, count: number): readonly ObjectRef<unknown>[] {
    if (!(Number.isInteger(count) && count >= 1)) {
      throw new RuntimeError('E_OPTION', `numReturns ${count} must be a whole number from 1`);
    }
    const whole = this.submit(task);
    const cancel = (reason: unknown): void => whole.cancel(reason);
    return Array.from({ length: count }, (_, place) =>
      this.#objects.own(async () => elementOf(await whole.value(), place, count, task), { cancel }),
    );
  }

  /** Items of an `async *` function. The lease is held until the last item. A stream is not tried again. */
  async *stream(task: Task): AsyncGenerator<unknown> {
    const { exportName, options } = task;
    const stop = new TaskStop(options);
    const givenUp = stop.given(exportName, options.timeoutMs);
    let end: (lost?: unknown) => void = () => undefined;
    const held = new Promise<void>((resolve, reject) => {
      end = (lost) => (lost === undefined ? resolve() : reject(lost));
    });
    // Only the pool wants to know.
    held.catch(() => undefined);
    try {
      const args = await Promise.race([resolved(task.args), givenUp]);
      const lease = await Promise.race([this.#leaseFor(task, args, held), givenUp]);
      yield* lease.stream(exportName, args, stop.signal);
    } catch (error) {
      if (isLost(error)) end(error);
      throw stop.isStopped ? stop.error(exportName, options.timeoutMs) : error;
    } finally {
      end();
      stop.stop();
    }
  }

  /** A lease for as long as `held` is open; if that rejects the lease is gone. */
  #leaseFor(task: Task, args: readonly unknown[], held: Promise<void>): Promise<WorkerLease> {
    return new Promise((resolve, reject) => {
      const used = this.#poolFor(task).submit(
        (lease) => {
          resolve(lease);
          return held;
        },
        nearOf(task, args),
      );
      used.catch(reject);
    });
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
    this.#poolOf = new WeakMap();
  }

  /** A function of its own: what the ref's closures share must not hold the arguments of every task. */
  #noteOrigin(ref: ObjectRef<unknown>, origin: Origin, made: Promise<unknown>, task: Task): void {
    made.then(
      (found) => {
        if (!(found instanceof ObjectPlace)) return;
        origin.recipe = this.#lineage.recipeOf(task, isRef);
        this.#lineage.note(ref, origin);
        // From now on its store hears that it is wanted, also if nobody awaits it for long.
        ref.found().catch(() => undefined);
      },
      // Whoever awaits the ref hears of it.
      () => undefined,
    );
  }

  /** Runs a task once more whose result was lost with its node; its arguments, if they were lost too, are made first. */
  async #again(lost: ObjectPlace, { recipe }: Origin): Promise<unknown> {
    if (await this.#objects.isThere(lost)) return lost;
    const what = `object ${lost.key}, a result of ${recipe?.task.exportName ?? 'a task'}, was on node ${lost.node}, which is gone or has lost it`;
    const { retries = taskDefaults.retries } = recipe?.task.options ?? {};
    if (!recipe || (retries >= 0 && recipe.again >= retries)) {
      const text = `${what}; it was made again ${recipe?.again ?? 0} times, which is all that \`retries\` allows: run the task again`;
      throw new RuntimeError('E_OBJECT_LOST', text);
    }
    recipe.again++;
    const task = this.#taskOf(recipe, what);
    // Whoever happens to ask now may give up: others wait for the same value.
    const stop = new TaskStop(task.options, null);
    return stop.settle(this.#attempts(task, stop), task.exportName, task.options.timeoutMs);
  }

  #taskOf({ task, ingredients }: Recipe, what: string): Task {
    // Whoever could have aborted the task has had its result.
    const { signal: _, ...options } = task.options;
    const args = ingredients.map((one, place) => {
      if ('value' in one) return one.value;
      const living = one.ref.deref();
      if (living) return living;
      if (one.recipe) {
        const lost = this.#taskOf(one.recipe, what);
        return this.submit(lost, new TaskStop(lost.options, null));
      }
      const text = `${what}; it cannot be made again, because nobody holds its argument ${place} any more: keep that ref, or run the task again`;
      throw new RuntimeError('E_OBJECT_LOST', text);
    });
    return { ...task, args, options };
  }

  async #attempts(task: Task, stop: TaskStop): Promise<unknown> {
    const { retries = taskDefaults.retries, retryOn } = task.options;
    const args = await resolved(task.args);
    const pool = this.#poolFor(task);
    for (let failures = 0; ; failures++) {
      try {
        return await pool.submit(
          (lease) => {
            // Given up while it waited: nobody wants the result.
            if (stop.isStopped) return Promise.resolve();
            return lease.call(task.exportName, args, stop.signal);
          },
          nearOf(task, args),
        );
      } catch (error) {
        const mayRetry = isLost(error) || (error instanceof Error && retryOn?.(error) === true);
        if (!mayRetry || stop.isStopped || (retries >= 0 && failures >= retries)) throw error;
      }
    }
  }

  #poolFor({ code, options }: Task): LeasePool<WorkerLease> {
    const last = this.#poolOf.get(options);
    if (last?.code === code) return last.pool;
    const pool = this.#findPool(code, options);
    this.#poolOf.set(options, { code, pool });
    return pool;
  }

  #findPool(code: CodeId, options: TaskOptions): LeasePool<WorkerLease> {
    const placement = placementSpec(options);
    const { resources } = placement;
    const { maxCalls } = options;
    if (maxCalls !== undefined && !(Number.isInteger(maxCalls) && maxCalls >= 1)) {
      throw new RuntimeError('E_OPTION', `maxCalls ${maxCalls} must be a whole number from 1`);
    }
    const amounts = Object.entries(resources).sort();
    const key = JSON.stringify([code, amounts, { ...placement, resources: 0 }, maxCalls]);
    const known = this.#pools.get(key);
    if (known) return known;
    const reusable = maxCalls === undefined && !resources['gpu'];
    const { namespace } = this;
    const args = encodeValue([]);
    const spec = { code, exportName: '', args, ...placement, namespace, reusable };
    const pool = new LeasePool<WorkerLease>({
      open: async (signal, near) => {
        const head = await this.#head();
        if (near !== undefined && !head.linked) {
          throw new RuntimeError('E_PEER_LOST', 'the head is away: leases that are held will do');
        }
        const asked = near === undefined ? spec : { ...spec, near };
        const worker = await head.request<ActorProxy>(
          { kind: 'actor.create', spec: asked },
          { signal },
        );
        return new WorkerLease(worker.ref, this.#outbound);
      },
      ...(maxCalls === undefined ? {} : { maxCalls }),
    });
    this.#pools.set(key, pool);
    return pool;
  }
}

function elementOf(value: unknown, place: number, count: number, { exportName }: Task): unknown {
  if (Array.isArray(value) && value.length === count) return value[place] as unknown;
  const what = Array.isArray(value) ? `${value.length} values` : typeof value;
  throw new RuntimeError('E_OPTION', `task ${exportName} returned ${what}, numReturns is ${count}`);
}
