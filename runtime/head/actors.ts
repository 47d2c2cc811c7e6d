/** What the head is asked about actors: to make one, to find one, to end one, and what has become of one. */

import { RuntimeError } from '../errors.js';
import { type ActorId, newActorId, type ProcessId } from '../ids.js';
import { type ActorSpec, defaultNamespace, taskWorkerLabel } from '../wire/actor-spec.js';
import { ActorRef } from '../wire/address.js';
import type { MessageOf } from '../wire/messages.js';
import { endActor } from './actor-end.js';
import {
  type ActorRecord,
  type HeadState,
  madeBy,
  noSnapshot,
  type Request,
  sameRequest,
} from './state.js';
import type { Turn } from './turn.js';

/** Characters of a note: it is one cell of a table. */
const maxNote = 200;

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
    note: '',
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

export function actorAlive(turn: Turn, message: Omit<MessageOf<'actor.alive'>, 'kind'>): void {
  const actor = turn.state.actors.get(message.actor);
  if (actor?.state.phase !== 'starting') return;
  actor.state = { phase: 'alive', claim: actor.state.claim, address: message.address };
  turn.touched.actors.add(actor.id);
  for (const request of [...actor.awaited, ...actor.verdicts]) turn.reply(request, refOf(actor));
  Object.assign(actor, { awaited: [], verdicts: [] });
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

export function keepSnapshot(
  turn: Turn,
  from: ProcessId,
  { actor: id, state }: MessageOf<'actor.snapshot'>,
): void {
  const actor = turn.state.actors.get(id);
  // After a restart of the head it may come before the news that the actor is alive.
  if (!actor || !('claim' in actor.state)) return;
  // It lives elsewhere by now.
  if (turn.state.nodes.get(actor.state.claim.node)?.agent !== from) return;
  actor.snapshot = state;
  turn.touched.snapshots.add(id);
}

/** From the actor's own process; after a restart of the head it is told again. */
export function noteActor(
  { state }: Turn,
  from: ProcessId,
  { actor: id, note }: MessageOf<'actor.note'>,
): void {
  const actor = state.actors.get(id);
  if (!actor || !('claim' in actor.state)) return;
  if (actor.state.phase === 'alive' && actor.state.address.process !== from) return;
  actor.note = note.slice(0, maxNote);
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
  const what = exportName === '' ? taskWorkerLabel : exportName;
  return name === undefined ? what : `${what} "${name}"`;
}

function refOf(actor: ActorRecord): ActorRef | undefined {
  const { state, spec } = actor;
  if (state.phase !== 'alive') return undefined;
  const { claim: taken, address } = state;
  return new ActorRef(actor.id, taken.node, actor.label, address, spec.maxTaskRetries ?? 0);
}
