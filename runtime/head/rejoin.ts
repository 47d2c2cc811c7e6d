/** After a restart of the head: nodes come back with what lives on them, owners come back or have left. */

import { RuntimeError, toWireError } from '../errors.js';
import type { ProcessId } from '../ids.js';
import type { ActorSpec } from '../wire/actor-spec.js';
import type { LivingActor } from '../wire/living.js';
import type { Message, MessageOf } from '../wire/messages.js';
import { actorExited, endActor, roomOf } from './actor-end.js';
import { startActor } from './actor-start.js';
import { actorAlive } from './actors.js';
import { endJob, jobOf, jobStarted, startJob } from './jobs.js';
import { endOwned } from './owners.js';
import { isTaskWorker } from './records.js';
import { take, whole } from './room.js';
import {
  type ActorRecord,
  type HeadState,
  type JobRecord,
  madeBy,
  type NodeRecord,
  noSnapshot,
} from './state.js';
import type { Turn } from './turn.js';

type Told = Omit<MessageOf<'node.rejoin'>, 'kind'>;

export function rejoinNode(turn: Turn, from: ProcessId, told: Told): void {
  const { node: id } = told;
  const node = turn.state.nodes.get(id);
  if (node?.agent !== from) {
    const why = 'the head has given this node up; start it anew';
    turn.send(from, { kind: 'node.stop', why });
    return;
  }
  Object.assign(node, { awayUntil: undefined, beatAt: turn.at });
  turn.hasChanged = true;
  rejoinActors(turn, node, told);
  rejoinJobs(turn, node, told);
}

function rejoinActors(turn: Turn, node: NodeRecord, { actors, exits }: Told): void {
  const accounted = new Set<ActorRecord>();
  for (const { actor: ended, restarts, cause } of exits) {
    const actor = turn.state.actors.get(ended);
    if (actor && isOn(actor, node) && actor.restarts === restarts) actorExited(turn, actor, cause);
  }
  for (const told of actors) {
    const known = turn.state.actors.get(told.actor);
    accounted.add(known ?? adopt(turn, node, told));
    if (known && told.address) actorAlive(turn, { ...told, address: told.address });
    // It may not have heard the first time.
    if (known?.isEnding || known?.state.phase === 'dead') {
      turn.send(node.agent, { kind: 'actor.stop', actor: known.id });
    }
  }
  for (const actor of [...turn.state.actors.values()]) {
    if (!accounted.has(actor) && isOn(actor, node)) miss(turn, actor);
  }
}

function rejoinJobs(turn: Turn, node: NodeRecord, { jobs, jobExits }: Told): void {
  const accounted = new Set<JobRecord>();
  for (const exit of jobExits) {
    const job = jobOf(turn, exit);
    if (job && isOn(job, node)) endJob(turn, job, exit.end);
  }
  for (const living of jobs) {
    const job = jobOf(turn, living);
    if (job) accounted.add(job);
    if (living.isStarted) jobStarted(turn, living);
    const isWanted = job && isOn(job, node) && !job.isStopping;
    if (!isWanted) turn.send(node.agent, { kind: 'job.stop', job: living.job });
  }
  for (const job of [...turn.state.jobs.values()]) {
    if (accounted.has(job) || !isOn(job, node) || !('claim' in job.state)) continue;
    if (job.state.phase === 'starting' && !job.isStopping) startJob(turn, job, job.state.claim);
    else endJob(turn, job, { phase: 'failed', message: 'it ended while the head was away' });
  }
}

const isOn = ({ state }: ActorRecord | JobRecord, { id }: NodeRecord): boolean =>
  'claim' in state && state.claim.node === id;

/** Held to be on a node whose agent knows nothing of it. */
function miss(turn: Turn, actor: ActorRecord): void {
  if (actor.state.phase === 'starting' && !actor.isEnding) {
    startActor(turn, actor, actor.state.claim);
    return;
  }
  const text = `${actor.label} ended while the head was away`;
  actorExited(turn, actor, toWireError(new RuntimeError('E_ACTOR_DEAD', text)));
}

/** A task worker, of which the journal knows nothing. */
function adopt(turn: Turn, node: NodeRecord, told: LivingActor): ActorRecord {
  const { state } = turn;
  const { spec, owner, request, address } = told;
  const creator = { from: owner, id: request };
  // It was asked for again, so its owner never heard of this one.
  const isReplaced = madeBy(state.actors.values(), creator) !== undefined;
  const units = spec.resources['gpu'] ?? 0;
  const gpus = new Map(told.gpus.map((uuid) => [uuid, Math.min(units, whole)]));
  const claim = { node: node.id, need: spec.resources, gpus };
  const actor: ActorRecord = {
    id: told.actor,
    spec,
    label: told.label,
    owner,
    creator,
    awaited: [],
    verdicts: [],
    killers: [],
    isLending: false,
    isEnding: false,
    restarts: told.restarts,
    snapshot: noSnapshot,
    note: '',
    state: address ? { phase: 'alive', claim, address } : { phase: 'starting', claim },
  };
  state.actors.set(actor.id, actor);
  const room = roomOf(state, actor, claim);
  if (room) take(room, claim);
  const isUnwanted = isReplaced || !isTaskWorker(spec) || isOrphan(state, owner);
  if (isUnwanted || !isGroupReady(state, spec)) {
    endActor(turn, actor, new RuntimeError('E_ACTOR_DEAD', `${actor.label} belongs to nobody`));
  }
  return actor;
}

/** One that is being removed ends its actors, also those of which the head hears only now. */
const isGroupReady = ({ groups }: HeadState, { bundle }: ActorSpec): boolean =>
  bundle === undefined || groups.get(bundle.group)?.state.phase === 'ready';

/** Once the grace is over. */
const isOrphan = (state: HeadState, owner: ProcessId): boolean =>
  state.ownersUntil === undefined && !state.present.has(owner);

/** Owners that are not back in time have left. */
export function checkOwners(turn: Turn): void {
  const { state, at, settings } = turn;
  if (state.ownersUntil === undefined || at < state.ownersUntil) return;
  state.ownersUntil = undefined;
  const owners = new Set(
    [...state.actors.values(), ...state.groups.values()].map((one) => one.owner),
  );
  const why = `not back ${settings.ownerGraceMs / 1000} s after the head was restarted`;
  for (const owner of owners) {
    if (isOrphan(state, owner)) endOwned(turn, owner, `its owner, process ${owner}, left: ${why}`);
  }
}

/** Whether a message speaks of something that only a node that is away can know; it is looked at again later. */
export function isEarly({ nodes, actors }: HeadState, from: ProcessId, message: Message): boolean {
  switch (message.kind) {
    case 'actor.kill':
    case 'actor.verdict':
    case 'actor.waiting':
    case 'actor.note':
      return !actors.has(message.actor) && isAnyAway(nodes.values());
    case 'cancel':
      return isAnyAway(nodes.values()) && !madeBy(actors.values(), { from, id: message.id });
    default:
      return false;
  }
}

const isAnyAway = (nodes: Iterable<NodeRecord>): boolean =>
  [...nodes].some(({ awayUntil }) => awayUntil !== undefined);
