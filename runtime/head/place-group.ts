/** A node for each bundle of a placement group. Pure. */

import { type LabelSelector, mismatch } from '../labels.js';
import { plus, type Quantities, shortage } from '../resources.js';
import type { GroupStrategy } from '../wire/actor-spec.js';
import { emptyCluster, isHere, notBack, type Placement } from './place.js';
import { idleRoom, misfit, type Room, takeFrom, whole } from './room.js';
import type { NodeRecord } from './state.js';

/** A node for every bundle, or none at all. */
export function placeGroup(
  nodes: readonly NodeRecord[],
  bundles: readonly Quantities[],
  strategy: GroupStrategy,
  labels: LabelSelector = {},
): Placement<readonly NodeRecord[]> {
  if (nodes.length === 0) return { ok: false, never: true, why: [emptyCluster] };
  const others = nodes.flatMap((node) => {
    const reasons = mismatch(labels, node.labels);
    return reasons.length > 0 ? [`node ${node.name}: ${reasons.join(', ')}`] : [];
  });
  const candidates = nodes.filter((node) => mismatch(labels, node.labels).length === 0);
  const now = spreadOver(candidates.filter(isHere), bundles, strategy, (node) => node);
  if (now.ok) return now;
  const idle = spreadOver(candidates, bundles, strategy, idleRoom);
  const never = !idle.ok && idle.certain;
  const away = candidates
    .filter((node) => !isHere(node))
    .map(({ name }) => `node ${name}: ${notBack}`);
  return { ok: false, never, why: [...(never ? idle.why : [...now.why, ...away]), ...others] };
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
  // A share goes to the fullest GPU that has it; other splits are not tried.
  const shares = bundles.filter(({ gpu = 0 }) => gpu > 0 && gpu < whole).length;
  if (tries < maxTries && shares < 2) return { ok: false, certain: true, why: why ?? [] };
  const hopeless = whyHopeless(nodes.map(roomOf), bundles, strategy);
  if (hopeless.length > 0) return { ok: false, certain: true, why: hopeless };
  return { ok: false, certain: false, why: why ?? ['too many ways to place it'] };
}

/** Why no way of placing the bundles can do, as far as sums tell; empty if they do not. */
function whyHopeless(
  rooms: readonly Room[],
  bundles: readonly Quantities[],
  strategy: GroupStrategy,
): readonly string[] {
  if (strategy === 'strict-spread' && bundles.length > rooms.length) {
    return [`${bundles.length} bundles need as many nodes, there are ${rooms.length}`];
  }
  const alone = bundles.findIndex((need) => rooms.every((room) => misfit(need, room).length > 0));
  if (alone >= 0) return [`bundle ${alone} fits on no node, even alone`];
  const lacks = shortage(bundles.reduce(plus, {}), rooms.map(({ free }) => free).reduce(plus, {}));
  if (lacks.length > 0) return lacks.map((lack) => `all bundles together: ${lack}`);
  // Above half a GPU no two share one.
  const own = bundles.map(({ gpu = 0 }) => (gpu > whole / 2 ? Math.ceil(gpu / whole) : 0));
  const needed = own.reduce((sum, gpus) => sum + gpus, 0);
  const there = rooms.flatMap(({ gpuFree }) => [...gpuFree.values()]);
  const free = there.filter((units) => units > whole / 2).length;
  return needed > free ? [`${needed} GPUs are needed, there are ${free}`] : [];
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
  let certain = true;
  for (const node of nodes) {
    const result = spreadOver([node], bundles, 'pack', roomOf);
    if (result.ok) return result;
    certain &&= result.certain;
    why.push(...result.why);
  }
  return { ok: false, certain, why };
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
