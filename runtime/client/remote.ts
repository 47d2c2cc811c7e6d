/** The typed twin of a module: its classes, as actor classes of the cluster. */

import type { ActorHandle } from '../actor/handle.js';
import { RuntimeError } from '../errors.js';
import type { CodeId } from '../ids.js';
import { type RemoteFunction, remoteFunction } from '../task/remote-function.js';
import type { TaskClient } from '../task/task-client.js';
import type { Peer } from '../wire/peer.js';
import { encodeValue } from '../wire/value.js';
import { type PlacementOptions, placementSpec } from './placement-options.js';

export interface CreateOptions<Args extends readonly unknown[]> extends PlacementOptions {
  /** Constructor arguments. Handles among them arrive as handles. */
  readonly args?: Args;
  /** Unique among the living actors of its namespace; others find the actor by it. */
  readonly name?: string;
  /** Of the name. @default that of the program, which is 'default' unless `connect` was told another */
  readonly namespace?: string;
  /** @default what the class says in `static actor`, or 1 */
  readonly maxConcurrency?: number;
  /** Calls that may wait at the actor; more are refused with `E_MAILBOX_FULL`. @default unlimited */
  readonly maxPending?: number;
  /** How often it begins anew, by its constructor, when its process or node dies; -1 for ever. @default 0 */
  readonly maxRestarts?: number;
  /** How often a call is tried again when the actor is restarted under it; -1 for ever. @default 0: at most once */
  readonly maxTaskRetries?: number;
  /** `detached` outlives the program that created it, until it is killed. @default 'owned' */
  readonly lifetime?: 'owned' | 'detached';
  /** Take the living actor of that name if there is one. @default false: `E_NAME_TAKEN` */
  readonly getIfExists?: boolean;
  /** Stop waiting for a place. The actor is not created then. */
  readonly signal?: AbortSignal;
}

export interface RemoteClass<T, Args extends readonly unknown[]> {
  /**
   * @throws RuntimeError `E_NO_ROOM` at once if no node can ever hold it, `E_ACTOR_START` if its constructor throws,
   * `E_NAME_TAKEN`, `E_EXTERNAL`, `E_ENCODE`, `E_ABORTED`.
   */
  create(options?: CreateOptions<Args>): Promise<ActorHandle<T>>;
}

type AnyClass = abstract new (...args: never[]) => object;
type AnyFunction = (...args: never[]) => unknown;

/** Exported classes become actor classes, exported functions tasks. */
export type Remote<Module> = {
  readonly [Name in keyof Module as Module[Name] extends AnyClass
    ? Name
    : never]: Module[Name] extends abstract new (
    ...args: infer Args
  ) => infer T
    ? RemoteClass<T, Args>
    : never;
} & {
  readonly [Name in keyof Module as Module[Name] extends AnyFunction
    ? Name
    : never]: RemoteFunction<Module[Name]>;
};

export interface LoadedCode {
  readonly code: CodeId;
  readonly exports: readonly string[];
}

export function remoteModule<Module>(
  loaded: LoadedCode,
  head: () => Promise<Peer>,
  tasks: TaskClient,
): Remote<Module> {
  const { code } = loaded;
  const twin: Record<string, unknown> = {};
  // Only types know which export is a class and which a function: each name answers to both.
  for (const exportName of loaded.exports) {
    twin[exportName] = Object.assign(remoteFunction({ code, exportName }, tasks), {
      create: (options: CreateOptions<readonly unknown[]> = {}) =>
        create(code, exportName, options, head, tasks),
    });
  }
  return new Proxy(twin, {
    get(known, name) {
      if (typeof name === 'symbol' || name === 'then' || name in known) {
        return Reflect.get(known, name) as unknown;
      }
      const names = loaded.exports.join(', ') || 'nothing';
      throw new RuntimeError('E_EXPORT', `the module exports no ${name}; it has: ${names}`);
    },
  }) as unknown as Remote<Module>;
}

async function create<T>(
  code: CodeId,
  exportName: string,
  options: CreateOptions<readonly unknown[]>,
  head: () => Promise<Peer>,
  tasks: TaskClient,
): Promise<ActorHandle<T>> {
  const { args = [], name, namespace, maxConcurrency, signal } = options;
  const { maxPending, maxRestarts, maxTaskRetries, lifetime, getIfExists } = options;
  requireTimes({ maxRestarts, maxTaskRetries });
  if (name === undefined && (getIfExists || lifetime === 'detached')) {
    throw new RuntimeError('E_OPTION', 'getIfExists and lifetime detached need a name');
  }
  if (maxConcurrency !== undefined && !(maxConcurrency >= 1)) {
    throw new RuntimeError('E_OPTION', `maxConcurrency ${maxConcurrency} must be at least 1`);
  }
  return (await head()).request<ActorHandle<T>>(
    {
      kind: 'actor.create',
      spec: {
        code,
        exportName,
        args: encodeValue(args, { args }),
        ...placementSpec(options),
        ...(name === undefined ? {} : { name }),
        namespace: namespace ?? tasks.namespace,
        ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
        ...(maxPending === undefined ? {} : { maxPending }),
        ...(maxRestarts === undefined ? {} : { maxRestarts }),
        ...(maxTaskRetries === undefined ? {} : { maxTaskRetries }),
        ...(lifetime === 'detached' ? { detached: true } : {}),
        ...(getIfExists ? { getIfExists } : {}),
      },
    },
    signal ? { signal } : {},
  );
}

function requireTimes(options: Readonly<Record<string, number | undefined>>): void {
  for (const [name, times] of Object.entries(options)) {
    if (times === undefined || (Number.isInteger(times) && times >= -1)) continue;
    throw new RuntimeError('E_OPTION', `${name} ${times} must be a whole number from 0, or -1`);
  }
}
