/** Refs among the arguments of a task: they stand for their values, and the task had better run where those lie. */

import type { NodeId } from '../ids.js';
import { ObjectRef } from '../object/object-ref.js';
import { ObjectPlace } from '../wire/address.js';
import type { Task } from './task-client.js';

export const isRef = (arg: unknown): arg is ObjectRef<unknown> => arg instanceof ObjectRef;

/**
 * Refs among the arguments stand for their values; one that fails fails the task. What lies in a store is read by the
 * process that runs the task.
 */
export const resolved = (args: readonly unknown[]): Promise<readonly unknown[]> =>
  args.some(isRef) ? waitedFor(args) : Promise.resolve(args);

async function waitedFor(args: readonly unknown[]): Promise<readonly unknown[]> {
  const found = await Promise.all(args.map((arg) => (isRef(arg) ? arg.settled() : undefined)));
  return args.map((arg, place) =>
    isRef(arg) && !(found[place] instanceof ObjectPlace) ? found[place] : arg,
  );
}

/**
 * The node that holds most of the bytes of what lies in stores; whoever has chosen a node himself knows better.
 *
 * @param args As `resolved` has made them of the task's.
 */
export function nearOf(
  { args: given, options }: Task,
  args: readonly unknown[],
): NodeId | undefined {
  // Without refs they are the same.
  if (args === given || options.schedulingStrategy || options.bundle) return undefined;
  let near: NodeId | undefined;
  const held = new Map<NodeId, number>();
  for (const arg of args) {
    const place = isRef(arg) ? arg.place : undefined;
    if (!place?.nodeId) continue;
    const bytes = (held.get(place.nodeId) ?? 0) + place.bytes;
    held.set(place.nodeId, bytes);
    if (near === undefined || bytes > held.get(near)!) near = place.nodeId;
  }
  return near;
}
