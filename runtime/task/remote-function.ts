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

/** A ref for each element of a tuple. */
type RefsOf<Result> = Result extends readonly unknown[]
  ? { [Place in keyof Result]: ObjectRef<Result[Place]> }
  : never;

interface Configurable<Self> {
  /** The same function with other options. */
  with(options: TaskOptions): Self;
}

interface Severable<Args extends readonly unknown[], Result> {
  /** The same function, with a ref for each of the `numReturns` elements of the array that it returns. */
  with(
    options: TaskOptions & { readonly numReturns: number },
  ): (...args: WithRefs<Args>) => RefsOf<Awaited<Result>>;
}

export type RemoteFunction<F> = F extends (...args: infer Args) => AsyncGenerator<infer Item>
  ? { readonly stream: StreamOf<Args, Item> } & Configurable<RemoteFunction<F>>
  : F extends (...args: infer Args) => infer Result
    ? TaskOf<Args, Result> & Severable<Args, Result> & Configurable<RemoteFunction<F>>
    : never;

interface AnyOptions extends TaskOptions {
  readonly numReturns?: number;
}

interface AnyRemoteFunction {
  (...args: readonly unknown[]): ObjectRef<unknown> | readonly ObjectRef<unknown>[];
  stream(...args: readonly unknown[]): AsyncGenerator<unknown>;
  with(options: AnyOptions): AnyRemoteFunction;
}

export function remoteFunction(
  where: { readonly code: CodeId; readonly exportName: string },
  tasks: TaskClient,
  { numReturns, ...options }: AnyOptions = {},
): AnyRemoteFunction {
  const call = (...args: readonly unknown[]) => {
    const task = { ...where, args, options };
    return numReturns === undefined ? tasks.submit(task) : tasks.submitSeveral(task, numReturns);
  };
  return Object.assign(call, {
    stream: (...args: readonly unknown[]) => tasks.stream({ ...where, args, options }),
    with: (more: AnyOptions) => remoteFunction(where, tasks, { ...options, ...more }),
  });
}
