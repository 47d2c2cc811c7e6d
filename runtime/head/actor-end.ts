/** How an actor ends, or begins anew, and gives back what it held. */

import { type RuntimeError, toWireError, type WireError } from '../errors.js';
import type { ActorId } from '../ids.js';
import { minus, plus } from '../resources.js';
import { release } from './room.js';
import {
  type ActorRecord,
  type Bundle,
  type Claim,
  type HeadState,
  type NodeRecord,
  noSnapshot,
} from './state.js';
import type { Turn } from './turn.js';

/** Its process is gone: it begins anew if it may, with what its constructor makes of it. */
export function actorExited(turn: Turn, actor: ActorRecord | undefined, cause: WireError): void {
  if (!actor || actor.state.phase === 'dead') return;
  const { maxRestarts = 0 } = actor.spec;
  const mayRestart = maxRestarts < 0 || actor.restarts < maxRestarts;
  const isAccident =
    (cause.code === 'E_ACTOR_DEAD' || cause.code === 'E_OUT_OF_MEMORY') && !actor.isEnding;
  if (!isAccident || !mayRestart || actor.state.phase === 'pending') {
    buryActor(turn, actor, cause);
    return;
  }
  giveBack(turn, actor, actor.state.claim);
  actor.restarts++;
  actor.note = '';
  turn.touched.actors.add(actor.id);
  actor.state = { phase: 'pending', since: turn.at, why: [`restarts: ${cause.message}`] };
}

/** A task that waits for its own tasks gives its processors back meanwhile: or those might never run. */
export function lendProcessors(turn: Turn, id: ActorId, waiting: boolean): void {
  const actor = turn.state.actors.get(id);
  if (actor?.state.phase !== 'alive' || actor.spec.exportName !== '') return;
  if (actor.isLending === waiting) return;
  actor.isLending = waiting;
  const room = roomOf(turn.state, actor, actor.state.claim);
  if (!room) return;
  const processors = { cpu: actor.spec.resources['cpu'] ?? 0 };
  room.free = waiting ? plus(room.free, processors) : minus(room.free, processors);
  turn.hasChanged ||= waiting;
}

/** Ask the agent to end an actor, for good; one that has no host yet ends here. */
export function endActor(turn: Turn, actor: ActorRecord, cause: RuntimeError): void {
  const { state } = actor;
  actor.isEnding = true;
  turn.touched.actors.add(actor.id);
  if (state.phase === 'pending') {
    buryActor(turn, actor, toWireError(cause));
  } else if (state.phase !== 'dead') {
    const node = turn.state.nodes.get(state.claim.node);
    if (node) turn.send(node.agent, { kind: 'actor.stop', actor: actor.id });
    else buryActor(turn, actor, toWireError(cause));
  }
}

export function buryActor(turn: Turn, actor: ActorRecord, cause: WireError): void {
  if (actor.state.phase === 'dead') return;
  const { awaited, verdicts, killers, state, restarts } = actor;
  if (state.phase !== 'pending') giveBack(turn, actor, state.claim);
  actor.state = { phase: 'dead', at: turn.at, cause };
  for (const request of [...awaited, ...verdicts]) turn.refuse(request, cause);
  for (const request of killers) turn.reply(request, null);
  Object.assign(actor, { awaited: [], verdicts: [], killers: [], snapshot: noSnapshot });
  turn.hasChanged = true;
  turn.touched.actors.add(actor.id);
  turn.touched.snapshots.add(actor.id);
  const { actors, graves } = turn.state;
  // One that never had a place is known to nobody: no grave for it.
  if (state.phase === 'pending' && restarts === 0) actors.delete(actor.id);
  else graves.push(actor.id);
  if (graves.length <= turn.settings.maxGraves) return;
  const oldest = graves.shift()!;
  actors.delete(oldest);
  turn.touched.actors.add(oldest);
}

function giveBack(turn: Turn, actor: ActorRecord, taken: Claim): void {
  lendProcessors(turn, actor.id, false);
  const room = roomOf(turn.state, actor, taken);
  if (room) release(room, taken);
  turn.hasChanged = true;
}

/** Where its resources are from. */
export function roomOf(
  state: HeadState,
  actor: ActorRecord,
  taken: Claim,
): NodeRecord | Bundle | undefined {
  const where = actor.spec.bundle;
  return where ? state.groups.get(where.group)?.bundles[where.index] : state.nodes.get(taken.node);
}
