/** Where an actor fits. Pure: nodes and needs in, a place or the reasons against every node out. */

import type { NodeId } from '../ids.js';
import { type LabelSelector, mismatch } from '../labels.js';
import { type Quantities, utilisation } from '../resources.js';
import type { SchedulingStrategy } from '../wire/actor-spec.js';
import { idleRoom, misfit, type Room } from './room.js';
import type { NodeRecord } from './state.js';

/** `never`: no node would do even when idle. */
export type Placement<Place> =
  | { readonly ok: true; readonly place: Place }
  | { readonly ok: false; readonly never: boolean; readonly why: readonly string[] };

export const emptyCluster =
  'the cluster has no node yet; start one with: patchbay start --address URL';

/** Nothing is placed on a node that is away, but it counts for what can be placed ever. */
export const isHere = ({ awayUntil }: NodeRecord): boolean => awayUntil === undefined;
export const notBack = 'not back since the head was restarted';

/** What an actor or task asks of its node besides room. */
export interface NodeWish {
  /** @default 'spread' */
  readonly strategy?: SchedulingStrategy | undefined;
  /** On this node, whatever the strategy. */
  readonly near?: NodeId | undefined;
  readonly labels?: LabelSelector | undefined;
}

/** The best node on which `need` fits: the least used one, unless the strategy says otherwise. */
export function placeOne(
  nodes: readonly NodeRecord[],
  need: Quantities,
  { strategy = 'spread', near, labels = {} }: NodeWish = {},
): Placement<NodeRecord> {
  const affinity = typeof strategy === 'string' || strategy.soft ? undefined : strategy.node;
  const only = near ?? affinity;
  const candidates = only === undefined ? nodes : nodes.filter(isNode(only));
  if (candidates.length === 0) {
    const why = only !== undefined && nodes.length > 0 ? `node ${only} is not there` : emptyCluster;
    return { ok: false, never: true, why: [why] };
  }
  const reasons = (node: NodeRecord, room: Room): readonly string[] => [
    ...mismatch(labels, node.labels),
    ...misfit(need, room),
  ];
  const now = (node: NodeRecord): readonly string[] =>
    isHere(node) ? reasons(node, node) : [notBack];
  const fitting = candidates.filter((node) => now(node).length === 0);
  const best = fitting.sort(preference(need, strategy))[0];
  if (best) return { ok: true, place: best };
  const never = candidates.every((node) => reasons(node, idleRoom(node)).length > 0);
  const why = candidates.map((node) => {
    const text = never ? reasons(node, idleRoom(node)) : now(node);
    return `node ${node.name}: ${text.join(', ')}`;
  });
  return { ok: false, never, why };
}

const isNode =
  (wanted: string) =>
  ({ id, name }: NodeRecord): boolean =>
    id === wanted || name === wanted;

/** The wished node first, then those whose GPUs would not lie idle beside the actor, then by use, by number, and by name. */
function preference(
  need: Quantities,
  strategy: SchedulingStrategy,
): (a: NodeRecord, b: NodeRecord) => number {
  const isWished = typeof strategy === 'string' ? () => false : isNode(strategy.node);
  const wastesGpus = (node: NodeRecord): boolean => !need['gpu'] && node.gpus.length > 0;
  const sign = strategy === 'pack' ? -1 : 1;
  return (a, b) =>
    Number(isWished(b)) - Number(isWished(a)) ||
    Number(wastesGpus(a)) - Number(wastesGpus(b)) ||
    sign * (utilisation(a.total, a.free) - utilisation(b.total, b.free)) ||
    // Those who need nothing use nothing, and would all be on one node.
    sign * (a.claims - b.claims) ||
    (a.name < b.name ? -1 : 1);
}
