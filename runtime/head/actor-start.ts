/** Where a pending actor is started, as the head decides it. */

import { RuntimeError, toWireError } from '../errors.js';
import type { ActorSpec } from '../wire/actor-spec.js';
import { buryActor } from './actor-end.js';
import { placeOne } from './place.js';
import { claim, misfit } from './room.js';
import type { ActorRecord, Claim } from './state.js';
import type { Turn } from './turn.js';

/** Give a pending actor its place, leave it pending, or refuse it for good. */
export function placeActor(turn: Turn, actor: ActorRecord): void {
  if (actor.state.phase !== 'pending') return;
  const { spec } = actor;
  if (spec.bundle) {
    placeInBundle(turn, actor, spec.bundle, actor.state.since);
    return;
  }
  const placement = placeOne([...turn.state.nodes.values()], spec.resources, {
    strategy: spec.schedulingStrategy,
    near: spec.near,
    labels: spec.labelSelector,
  });
  if (placement.ok) {
    startActor(turn, actor, claim(placement.place, placement.place.id, spec.resources));
  } else if (placement.never) {
    refuse(turn, actor, `no node can hold ${actor.label}: ${placement.why.join('; ')}`);
  } else if (spec.near !== undefined) {
    refuse(turn, actor, `no room for ${actor.label} now: ${placement.why.join('; ')}`);
  } else {
    actor.state = { ...actor.state, why: placement.why };
  }
}

function placeInBundle(
  turn: Turn,
  actor: ActorRecord,
  where: NonNullable<ActorSpec['bundle']>,
  since: number,
): void {
  const group = turn.state.groups.get(where.group);
  const bundle = group?.bundles[where.index];
  const place = `bundle ${where.index} of group ${where.group}`;
  if (!bundle?.claim || group?.state.phase !== 'ready') {
    refuse(turn, actor, `${place} is not reserved`);
    return;
  }
  const node = turn.state.nodes.get(bundle.claim.node);
  if (!node) {
    refuse(turn, actor, `${place}: its node was lost; make a new group`);
    return;
  }
  const { resources } = actor.spec;
  const never = misfit(resources, { free: bundle.need, gpuFree: bundle.claim.gpus });
  if (never.length > 0) {
    refuse(turn, actor, `${actor.label} does not fit ${place}: ${never.join(', ')}`);
    return;
  }
  const why =
    node.awayUntil === undefined
      ? misfit(resources, bundle)
      : [`node ${node.name} is not back yet`];
  if (why.length > 0) {
    actor.state = { phase: 'pending', since, why: [`${place}: ${why.join(', ')}`] };
    return;
  }
  startActor(turn, actor, claim(bundle, bundle.claim.node, actor.spec.resources));
}

const refuse = (turn: Turn, actor: ActorRecord, text: string): void =>
  buryActor(turn, actor, toWireError(new RuntimeError('E_NO_ROOM', text)));

export function startActor(turn: Turn, actor: ActorRecord, taken: Claim): void {
  const node = turn.state.nodes.get(taken.node)!;
  actor.state = { phase: 'starting', claim: taken };
  turn.touched.actors.add(actor.id);
  turn.send(node.agent, {
    kind: 'actor.start',
    actor: actor.id,
    label: actor.label,
    spec: actor.spec,
    gpus: [...taken.gpus.keys()],
    snapshot: actor.snapshot,
    owner: actor.owner,
    request: actor.creator.id,
    restarts: actor.restarts,
  });
}
