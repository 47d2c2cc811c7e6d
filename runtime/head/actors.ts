/** The life of actors, as the head decides it: asked for, placed, alive, restarted, dead. */

import { RuntimeError, toWireError, type WireError } from '../errors.js';
import { type ActorId, newActorId, type ProcessId } from '../ids.js';
import { minus, plus } from '../resources.js';
import { ActorRef } from '../wire/address.js';
import { type ActorSpec, defaultNamespace, type MessageOf } from '../wire/messages.js';
import { placeOne } from './place.js';
import { claim, misfit, release } from './room.js';
import {
  type ActorRecord,
  type Bundle,
  type Claim,
  type HeadState,
  madeBy,
  type NodeRecord,
  type Request,
  sameRequest,
} from './state.js';
import type { Turn } from './turn.js';

const noSnapshot = new Uint8Array();

export function createActor(turn: Turn, request: Request, spec: ActorSpec): void {
  const known = madeBy(turn.state.actors.values(), request);
  if (known) {
    askAgain(turn, known, request);
    return;
  }
  const twin = spec.name === undefined ? undefined : named(turn.state, spec.name, spec.namespace);
  if (twin && spec.getIfExists) {
    if (twin.state.phase === 'alive') turn.reply(request, refOf(twin));
    else twin.awaited.push(request);
    return;
  }
  if (twin) {
    const text = `an actor named ${spec.name} lives already (${twin.label})`;
    turn.fail(request, new RuntimeError('E_NAME_TAKEN', text));
    return;
  }
  const actor: ActorRecord = {
    id: newActorId(),
    spec,
    label: labelOf(spec),
    owner: request.from,
    creator: request,
    awaited: [request],
    verdicts: [],
    killers: [],
    isLending: false,
    isEnding: false,
    restarts: 0,
    snapshot: noSnapshot,
    state: { phase: 'pending', since: turn.at, why: [] },
  };
  turn.state.actors.set(actor.id, actor);
  turn.touched.actors.add(actor.id);
  turn.hasChanged = true;
}

/** The creator missed the answer, or the head that was to give it. */
function askAgain(turn: Turn, actor: ActorRecord, request: Request): void {
  const { state, awaited } = actor;
  if (state.phase === 'alive') turn.reply(request, refOf(actor));
  else if (state.phase === 'dead') turn.refuse(request, state.cause);
  else if (!awaited.some((other) => sameRequest(other, request))) awaited.push(request);
}

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
    labels: spec.labelSelector,
  });
  if (placement.ok) {
    startActor(turn, actor, claim(placement.place, placement.place.id, spec.resources));
  } else if (placement.never) {
    refuse(turn, actor, `no node can hold ${actor.label}: ${placement.why.join('; ')}`);
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

export function actorAlive(turn: Turn, message: Omit<MessageOf<'actor.alive'>, 'kind'>): void {
  const actor = turn.state.actors.get(message.actor);
  if (actor?.state.phase !== 'starting') return;
  actor.state = { phase: 'alive', claim: actor.state.claim, address: message.address };
  turn.touched.actors.add(actor.id);
  for (const request of [...actor.awaited, ...actor.verdicts]) turn.reply(request, refOf(actor));
  Object.assign(actor, { awaited: [], verdicts: [] });
}

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

export function findActor(
  turn: Turn,
  request: Request,
  { name, namespace }: MessageOf<'actor.find'>,
): void {
  const actor = named(turn.state, name, namespace);
  const ref = actor ? refOf(actor) : undefined;
  if (ref) {
    turn.reply(request, ref);
    return;
  }
  const place = namespace === defaultNamespace ? '' : ` in namespace ${namespace}`;
  turn.fail(request, new RuntimeError('E_NAME_UNKNOWN', `no living actor named ${name}${place}`));
}

export function keepSnapshot(turn: Turn, { actor: id, state }: MessageOf<'actor.snapshot'>): void {
  const actor = turn.state.actors.get(id);
  if (actor?.state.phase !== 'alive') return;
  actor.snapshot = state;
  turn.touched.snapshots.add(id);
}

export function killActor(turn: Turn, request: Request, id: ActorId): void {
  const actor = turn.state.actors.get(id);
  if (!actor || actor.state.phase === 'dead') {
    turn.reply(request, null);
    return;
  }
  actor.killers.push(request);
  endActor(turn, actor, new RuntimeError('E_ACTOR_DEAD', `${actor.label} was killed`));
}

/**
 * What has become of an actor that could not be reached where it was: the reference to where it is now, or the cause of
 * its death, as soon as either is known.
 */
export function actorVerdict(turn: Turn, request: Request, id: ActorId, known: ProcessId): void {
  const actor = turn.state.actors.get(id);
  if (!actor) {
    const text = `actor ${id} is not known (any more)`;
    turn.fail(request, new RuntimeError('E_ACTOR_DEAD', text));
  } else if (actor.state.phase === 'dead') {
    turn.refuse(request, actor.state.cause);
  } else if (actor.state.phase === 'alive' && actor.state.address.process !== known) {
    turn.reply(request, refOf(actor));
  } else {
    actor.verdicts.push(request);
  }
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

function named(
  state: HeadState,
  name: string,
  namespace = defaultNamespace,
): ActorRecord | undefined {
  for (const actor of state.actors.values()) {
    const { spec } = actor;
    if (spec.name !== name || (spec.namespace ?? defaultNamespace) !== namespace) continue;
    if (actor.state.phase !== 'dead') return actor;
  }
  return undefined;
}

function labelOf({ exportName, name }: ActorSpec): string {
  const what = exportName === '' ? 'task worker' : exportName;
  return name === undefined ? what : `${what} "${name}"`;
}

function refOf(actor: ActorRecord): ActorRef | undefined {
  const { state, spec } = actor;
  if (state.phase !== 'alive') return undefined;
  const { claim: taken, address } = state;
  return new ActorRef(actor.id, taken.node, actor.label, address, spec.maxTaskRetries ?? 0);
}
