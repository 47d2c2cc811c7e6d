/** An exported function as a task: called, it gives a ref at once and runs somewhere in the cluster. */

import type { CodeId } from '../ids.js';
import type { ObjectRef } from '../object/object-ref.js';
import type { TaskClient } from './task-client.js';
import type { TaskOptions } from './task-options.js';

/** Where a value is expected, a ref to one will do. */
type WithRefs<Args extends readonly unknown[]> = {
  [Place in keyof Args]: Args[Place] | ObjectRef<Awaited<Args[Place]>>;
};

type TaskOf<Args extends readonly unknown[], Result> = (
  ...args: WithRefs<Args>
) => ObjectRef<Awaited<Result>>;
type StreamOf<Args extends readonly unknown[], Item> = (
  ...args: WithRefs<Args>
) => AsyncGenerator<Item>;

interface Configurable<Self> {
  /** The same function with other options. */
  with(options: TaskOptions): Self;
}

export type RemoteFunction<F> = F extends (...args: infer Args) => AsyncGenerator<infer Item>
  ? { readonly stream: StreamOf<Args, Item> } & Configurable<RemoteFunction<F>>
  : F extends (...args: infer Args) => infer Result
    ? TaskOf<Args, Result> & Configurable<RemoteFunction<F>>
    : never;

interface AnyRemoteFunction {
  (...args: readonly unknown[]): ObjectRef<unknown>;
  stream(...args: readonly unknown[]): AsyncGenerator<unknown>;
  with(options: TaskOptions): AnyRemoteFunction;
}

export function remoteFunction(
  where: { readonly code: CodeId; readonly exportName: string },
  tasks: TaskClient,
  options: TaskOptions = {},
): AnyRemoteFunction {
  return Object.assign((...args: readonly unknown[]) => tasks.submit({ ...where, args, options }), {
    stream: (...args: readonly unknown[]) => tasks.stream({ ...where, args, options }),
    with: (more: TaskOptions) => remoteFunction(where, tasks, { ...options, ...more }),
  });
}
