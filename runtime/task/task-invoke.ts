/** How a host runs tasks: refs among the arguments are read here, beside their bytes, and a large result stays in the node's store. */

import type { Invoke } from '../actor/executor.js';
import { ObjectRef } from '../object/object-ref.js';
import type { Objects } from '../object/objects.js';

const isRef = (value: unknown): value is ObjectRef<unknown> => value instanceof ObjectRef;

/** Whoever submitted the task has waited for its arguments: to read them here is no reason to lend a processor out. */
const valuesOf = (args: readonly unknown[]): Promise<readonly unknown[]> =>
  Promise.all(args.map((arg) => (isRef(arg) ? arg.value() : arg)));

export const taskInvoke =
  (invoke: Invoke, objects: Objects): Invoke =>
  (name, args, scope) => {
    if (scope.stream) {
      return args.some(isRef) ? streamed(invoke, name, args, scope) : invoke(name, args, scope);
    }
    const result = args.some(isRef)
      ? valuesOf(args).then((values) => invoke(name, values, scope))
      : invoke(name, args, scope);
    return result instanceof Promise
      ? result.then((value: unknown) => objects.offload(value))
      : objects.offload(result);
  };

async function* streamed(
  invoke: Invoke,
  name: string,
  args: readonly unknown[],
  scope: Parameters<Invoke>[2],
): AsyncGenerator<unknown> {
  yield* invoke(name, await valuesOf(args), scope) as AsyncGenerator<unknown>;
}
