/** Where something fits. Pure: nodes and needs in, a place or the reasons against every node out. */

import type { NodeId } from '../ids.js';
import { minus, plus, type Quantities, shortage, utilisation } from '../resources.js';
import type { GroupStrategy } from '../wire/messages.js';
import type { Claim, NodeRecord } from './state.js';

/** Free amounts, of a node or of a bundle. */
export interface Room {
  readonly free: Quantities;
  readonly gpuFree: ReadonlyMap<string, number>;
}

/** `never`: no node is large enough even when idle. */
export type Placement<Place> =
  | { readonly ok: true; readonly place: Place }
  | { readonly ok: false; readonly never: boolean; readonly why: readonly string[] };

const whole = 10_000;

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

const idleRoom = (node: NodeRecord): Room => ({
  free: node.total,
  gpuFree: new Map(node.gpus.map(({ uuid }) => [uuid, whole])),
});

const emptyCluster = 'the cluster has no node yet; start one with: patchbay start --address URL';

/** The least used node on which `need` fits. */
export function placeOne(
  nodes: readonly NodeRecord[],
  need: Quantities,
  only?: NodeId,
): Placement<NodeRecord> {
  const candidates = only ? nodes.filter(({ id }) => id === only) : nodes;
  if (candidates.length === 0) {
    return { ok: false, never: true, why: [only ? `node ${only} is not there` : emptyCluster] };
  }
  const fitting = candidates.filter((node) => misfit(need, node).length === 0);
  const best = fitting.sort(
    (a, b) =>
      utilisation(a.total, a.free) - utilisation(b.total, b.free) || (a.name < b.name ? -1 : 1),
  )[0];
  if (best) return { ok: true, place: best };
  const never = candidates.every((node) => misfit(need, idleRoom(node)).length > 0);
  const why = candidates.map((node) => {
    const reasons = misfit(need, never ? idleRoom(node) : node);
    return `node ${node.name}: ${reasons.join(', ')}`;
  });
  return { ok: false, never, why };
}

/** A node for every bundle, or none at all. */
export function placeGroup(
  nodes: readonly NodeRecord[],
  bundles: readonly Quantities[],
  strategy: GroupStrategy,
): Placement<readonly NodeRecord[]> {
  if (nodes.length === 0) return { ok: false, never: true, why: [emptyCluster] };
  const now = spreadOver(nodes, bundles, strategy, (node) => node);
  if (now.ok) return now;
  const idle = spreadOver(nodes, bundles, strategy, idleRoom);
  const never = !idle.ok && idle.certain;
  return { ok: false, never, why: never ? idle.why : now.why };
}

type Spread =
  | { readonly ok: true; readonly place: readonly NodeRecord[] }
  /** `certain`: every way of placing the bundles was tried. */
  | { readonly ok: false; readonly certain: boolean; readonly why: readonly string[] };

/** Choices tried for one group before the search gives up. */
const maxTries = 2_000;

interface Scratch {
  readonly node: NodeRecord;
  room: Room;
  bundles: number;
}

/**
 * A node for each bundle, or why one found none. Large bundles choose first; a choice that leaves a later bundle without a
 * node is taken back.
 */
function spreadOver(
  nodes: readonly NodeRecord[],
  bundles: readonly Quantities[],
  strategy: GroupStrategy,
  roomOf: (node: NodeRecord) => Room,
): Spread {
  if (strategy === 'strict-pack') return packOnOne(nodes, bundles, roomOf);
  const scratch: Scratch[] = nodes.map((node) => ({ node, room: roomOf(node), bundles: 0 }));
  const order = [...bundles.keys()].sort((a, b) => sizeOf(bundles[b]!) - sizeOf(bundles[a]!));
  const chosen: NodeRecord[] = [];
  let tries = 0;
  let why: readonly string[] | undefined;
  const placeFrom = (at: number): boolean => {
    const index = order[at];
    if (index === undefined) return true;
    const need = bundles[index]!;
    for (const choice of distinct(preferred(scratch, need, strategy))) {
      if (tries++ >= maxTries) return false;
      const { room } = choice;
      choice.room = takeFrom(room, need);
      choice.bundles++;
      chosen[index] = choice.node;
      if (placeFrom(at + 1)) return true;
      choice.room = room;
      choice.bundles--;
    }
    why ??= whyNot(index, need, scratch, strategy);
    return false;
  };
  if (placeFrom(0)) return { ok: true, place: chosen };
  return { ok: false, certain: tries < maxTries, why: why ?? ['too many ways to place it'] };
}

const sizeOf = (need: Quantities): number => Math.max(0, ...Object.values(need));

/** Where a bundle fits, the best first. */
function preferred(
  scratch: readonly Scratch[],
  need: Quantities,
  strategy: GroupStrategy,
): readonly Scratch[] {
  const allowed = strategy === 'strict-spread' ? scratch.filter((s) => s.bundles === 0) : scratch;
  const sign = strategy === 'pack' ? -1 : 1;
  return allowed
    .filter((s) => misfit(need, s.room).length === 0)
    .sort((a, b) => sign * (a.bundles - b.bundles) || (a.node.name < b.node.name ? -1 : 1));
}

/** One of each kind of node: what fails on one fails on all that are like it. */
function distinct(choices: readonly Scratch[]): readonly Scratch[] {
  const byKind = new Map<string, Scratch>();
  for (const choice of choices) {
    const { room, bundles } = choice;
    const kind = JSON.stringify([Object.entries(room.free), [...room.gpuFree.values()], bundles]);
    if (!byKind.has(kind)) byKind.set(kind, choice);
  }
  return [...byKind.values()];
}

function packOnOne(
  nodes: readonly NodeRecord[],
  bundles: readonly Quantities[],
  roomOf: (node: NodeRecord) => Room,
): Spread {
  const why: string[] = [];
  for (const node of nodes) {
    const result = spreadOver([node], bundles, 'pack', roomOf);
    if (result.ok) return result;
    why.push(...result.why);
  }
  return { ok: false, certain: true, why };
}

const whyNot = (
  index: number,
  need: Quantities,
  scratch: readonly Scratch[],
  strategy: GroupStrategy,
): readonly string[] =>
  scratch.map((s) => {
    const taken = strategy === 'strict-spread' && s.bundles > 0;
    const reason = taken ? 'has a bundle of this group already' : misfit(need, s.room).join(', ');
    return `bundle ${index} on node ${s.node.name}: ${reason}`;
  });

function takeFrom(room: Room, need: Quantities): Room {
  const gpus = takeGpus(room, need['gpu'] ?? 0) ?? new Map<string, number>();
  const gpuFree = new Map(room.gpuFree);
  for (const [uuid, units] of gpus) gpuFree.set(uuid, gpuFree.get(uuid)! - units);
  return { free: minus(room.free, need), gpuFree };
}

/** Take `need` from something that has room for it. */
export function claim(
  room: { free: Quantities; readonly gpuFree: Map<string, number> },
  node: NodeId,
  need: Quantities,
): Claim {
  const gpus = takeGpus(room, need['gpu'] ?? 0) ?? new Map<string, number>();
  room.free = minus(room.free, need);
  for (const [uuid, units] of gpus) room.gpuFree.set(uuid, room.gpuFree.get(uuid)! - units);
  return { node, need, gpus };
}

export function release(
  room: { free: Quantities; readonly gpuFree: Map<string, number> },
  { need, gpus }: Claim,
): void {
  room.free = plus(room.free, need);
  for (const [uuid, units] of gpus) room.gpuFree.set(uuid, (room.gpuFree.get(uuid) ?? 0) + units);
}
