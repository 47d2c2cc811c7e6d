/** What a node or a bundle has free, and taking from it. Integers only. */

import type { NodeId } from '../ids.js';
import { minus, plus, type Quantities, shortage } from '../resources.js';
import type { Claim, NodeRecord } from './state.js';

/** Free amounts, of a node or of a bundle. */
export interface Room {
  readonly free: Quantities;
  readonly gpuFree: ReadonlyMap<string, number>;
}

/** One GPU. */
export const whole = 10_000;

/**
 * Which GPUs to take for `units` of 1/10,000: a fraction comes from one GPU (the fullest that has it), more than one
 * GPU takes whole ones only. Undefined if they are not free.
 */
export function takeGpus(room: Room, units: number): ReadonlyMap<string, number> | undefined {
  if (units === 0) return new Map();
  if (units < whole) {
    const fitting = [...room.gpuFree].filter(([, free]) => free >= units);
    const fullest = fitting.sort((a, b) => a[1] - b[1])[0];
    return fullest ? new Map([[fullest[0], units]]) : undefined;
  }
  const idle = [...room.gpuFree].filter(([, free]) => free === whole);
  const count = units / whole;
  if (!Number.isInteger(count) || idle.length < count) return undefined;
  return new Map(idle.slice(0, count).map(([uuid]) => [uuid, whole]));
}

/** Reasons why `need` does not fit; empty if it does. */
export function misfit(need: Quantities, room: Room): readonly string[] {
  const lacks = shortage(need, room.free);
  if (lacks.length > 0) return lacks;
  const gpu = need['gpu'] ?? 0;
  if (gpu > whole && gpu % whole !== 0) return [`${gpu / whole} gpu: above one, only whole GPUs`];
  return takeGpus(room, gpu) ? [] : [`no single GPU has ${gpu / whole} free`];
}

/** Free shares of GPUs of which nobody has any. */
export const idleGpus = (gpus: NodeRecord['gpus']): Map<string, number> =>
  new Map(gpus.map(({ uuid }) => [uuid, whole]));

/** What a node has when nothing runs on it. */
export const idleRoom = (node: NodeRecord): Room => ({
  free: node.total,
  gpuFree: idleGpus(node.gpus),
});

/** What is left of a room, which stays as it is. */
export function takeFrom(room: Room, need: Quantities): Room {
  const gpus = takeGpus(room, need['gpu'] ?? 0) ?? new Map<string, number>();
  const gpuFree = new Map(room.gpuFree);
  for (const [uuid, units] of gpus) gpuFree.set(uuid, gpuFree.get(uuid)! - units);
  return { free: minus(room.free, need), gpuFree };
}

/** What can be taken from: a node, which counts who has, or a bundle. */
interface OpenRoom {
  free: Quantities;
  readonly gpuFree: Map<string, number>;
  claims?: number;
}

/** Take `need` from something that has room for it. */
export function claim(room: OpenRoom, node: NodeId, need: Quantities): Claim {
  const gpus = takeGpus(room, need['gpu'] ?? 0) ?? new Map<string, number>();
  const taken = { node, need, gpus };
  take(room, taken);
  return taken;
}

/** Count what is claimed already. */
export function take(room: OpenRoom, { need, gpus }: Claim): void {
  if (room.claims !== undefined) room.claims++;
  room.free = minus(room.free, need);
  for (const [uuid, units] of gpus) room.gpuFree.set(uuid, (room.gpuFree.get(uuid) ?? 0) - units);
}

export function release(room: OpenRoom, { need, gpus }: Claim): void {
  if (room.claims !== undefined) room.claims--;
  room.free = plus(room.free, need);
  for (const [uuid, units] of gpus) room.gpuFree.set(uuid, (room.gpuFree.get(uuid) ?? 0) + units);
}
