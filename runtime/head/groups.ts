/** Placement groups: several bundles of resources, reserved all together or not at all. */

import { RuntimeError } from '../errors.js';
import { type GroupId, newGroupId } from '../ids.js';
import type { MessageOf } from '../wire/messages.js';
import { endActor } from './actor-end.js';
import { isHere } from './place.js';
import { placeGroup } from './place-group.js';
import { claim, release } from './room.js';
import {
  type GroupRecord,
  type HeadState,
  madeBy,
  type NodeRecord,
  type Request,
} from './state.js';
import type { Turn } from './turn.js';

export function createGroup(
  turn: Turn,
  creator: Request,
  { bundles, strategy, labelSelector }: MessageOf<'group.create'>,
): void {
  const known = madeBy(turn.state.groups.values(), creator);
  if (known) {
    // Asked again by a creator that missed the answer.
    if (known.state.phase !== 'waiting') turn.reply(creator, known.id);
    return;
  }
  const id = newGroupId();
  turn.touched.groups.add(id);
  turn.state.groups.set(id, {
    id,
    owner: creator.from,
    strategy,
    labelSelector,
    bundles: bundles.map((need) => ({ need, claim: undefined, free: need, gpuFree: new Map() })),
    creator,
    since: turn.at,
    state: { phase: 'waiting', why: [] },
    removers: [],
  });
  turn.hasChanged = true;
}

/** Reserve a waiting group if it fits now; refuse it if it never will. */
export function reserveGroup(turn: Turn, group: GroupRecord): void {
  if (group.state.phase !== 'waiting') return;
  const needs = group.bundles.map(({ need }) => need);
  const placement = placeGroup(
    [...turn.state.nodes.values()],
    needs,
    group.strategy,
    group.labelSelector,
  );
  if (placement.ok) {
    reserve(group, placement.place);
    group.state = { phase: 'ready' };
    turn.touched.groups.add(group.id);
    turn.reply(group.creator, group.id);
  } else if (placement.never) {
    turn.state.groups.delete(group.id);
    turn.touched.groups.add(group.id);
    const text = `no room for ${needs.length} bundles (${group.strategy}): ${placement.why.join('; ')}`;
    turn.fail(group.creator, new RuntimeError('E_NO_ROOM', text));
  } else {
    group.state = { phase: 'waiting', why: placement.why };
  }
}

/** @param request Answered when the group's actors are dead and its resources free. */
export function removeGroup(turn: Turn, id: GroupId, request?: Request): void {
  const group = turn.state.groups.get(id);
  if (!group) {
    if (request) turn.reply(request, null);
    return;
  }
  if (request) group.removers.push(request);
  const cause = new RuntimeError('E_ACTOR_DEAD', `its placement group ${id} was removed`);
  for (const actor of [...turn.state.actors.values()]) {
    if (actor.spec.bundle?.group === id) endActor(turn, actor, cause);
  }
  group.state = { phase: 'removing' };
  turn.touched.groups.add(id);
  turn.hasChanged = true;
}

/**
 * A removed group keeps its resources until its last actor is dead: no GPU is ever given to two. Of task workers on a
 * node that is away the head knows nothing yet.
 */
export function finishRemoval(turn: Turn, group: GroupRecord): void {
  if (group.state.phase !== 'removing') return;
  for (const bundle of group.bundles) {
    const node = bundle.claim && turn.state.nodes.get(bundle.claim.node);
    if (node && !isHere(node)) return;
  }
  for (const { spec, state } of turn.state.actors.values()) {
    if (spec.bundle?.group === group.id && state.phase !== 'dead') return;
  }
  releaseGroup(turn.state, group);
  turn.state.groups.delete(group.id);
  turn.touched.groups.add(group.id);
  for (const request of group.removers) turn.reply(request, null);
}

function reserve(group: GroupRecord, nodes: readonly NodeRecord[]): void {
  group.bundles.forEach((bundle, index) => {
    const node = nodes[index]!;
    bundle.claim = claim(node, node.id, bundle.need);
    bundle.gpuFree = new Map(bundle.claim.gpus);
  });
}

function releaseGroup(state: HeadState, group: GroupRecord): void {
  for (const bundle of group.bundles) {
    const node = bundle.claim ? state.nodes.get(bundle.claim.node) : undefined;
    if (node && bundle.claim) release(node, bundle.claim);
    bundle.claim = undefined;
  }
}
