/**
 * The head's decisions. `step` takes one event and says what to send to whom; it touches neither sockets nor clocks,
 * so every race is a list of events in a test. It changes the state it is given and nothing else.
 */

import { RuntimeError } from '../errors.js';
import type { ProcessId } from '../ids.js';
import type { Message, Role } from '../wire/messages.js';
import { actorExited, endActor, lendProcessors } from './actor-end.js';
import { placeActor } from './actor-start.js';
import {
  actorAlive,
  actorVerdict,
  createActor,
  findActor,
  keepSnapshot,
  killActor,
  noteActor,
} from './actors.js';
import { createGroup, finishRemoval, removeGroup, reserveGroup } from './groups.js';
import { serveJob } from './job-messages.js';
import { forgetWaiter, leaveJob, mayCreate, placeJob } from './jobs.js';
import { checkBeats, joinNode, loseNode, nodeBeat } from './nodes.js';
import { endOwned } from './owners.js';
import { checkOwners, isEarly, rejoinNode } from './rejoin.js';
import { type HeadState, type Request, sameRequest } from './state.js';
import { statusOf } from './status.js';
import { type BrainSettings, brainSettings, type Step, Turn } from './turn.js';

export type HeadEvent = { readonly at: number } & (
  | { readonly message: Message; readonly from: ProcessId }
  | { readonly joined: ProcessId }
  | { readonly left: ProcessId; readonly role: Role; readonly why: string }
  | { readonly tick: true }
);

export { type BrainSettings, brainSettings, type Effect, type Step } from './turn.js';

export function step(
  state: HeadState,
  event: HeadEvent,
  settings: BrainSettings = brainSettings,
): Step {
  const turn = new Turn(state, event.at, settings);
  if ('message' in event) {
    handle(turn, event.from, event.message);
  } else if ('left' in event) {
    leave(turn, event.left, event.role, event.why);
  } else if ('joined' in event) {
    state.present.add(event.joined);
  } else {
    checkBeats(turn);
    checkOwners(turn);
  }
  // Nodes may have come back, or been given up.
  if (turn.hasChanged) {
    for (const { from, message } of state.held.splice(0)) handle(turn, from, message);
  }
  settle(turn);
  return { effects: turn.effects, touched: turn.touched };
}

function handle(turn: Turn, from: ProcessId, message: Message): void {
  if (isEarly(turn.state, from, message)) {
    turn.state.held.push({ from, message });
    return;
  }
  switch (message.kind) {
    case 'node.join':
      joinNode(turn, from, message);
      return;
    case 'node.rejoin':
      rejoinNode(turn, from, message);
      return;
    case 'node.beat':
      nodeBeat(turn, message);
      return;
    case 'actor.create': {
      const request = { from, id: message.id };
      if (mayCreate(turn, request)) createActor(turn, request, message.spec);
      return;
    }
    case 'group.create': {
      const request = { from, id: message.id };
      if (mayCreate(turn, request)) createGroup(turn, request, message);
      return;
    }
    case 'actor.alive':
      actorAlive(turn, message);
      return;
    case 'actor.snapshot':
      keepSnapshot(turn, from, message);
      return;
    case 'actor.waiting':
      lendProcessors(turn, message.actor, message.waiting);
      return;
    case 'actor.note':
      noteActor(turn, from, message);
      return;
    case 'actor.exited':
      actorExited(turn, turn.state.actors.get(message.actor), message.cause);
      return;
    case 'actor.find':
      findActor(turn, { from, id: message.id }, message);
      return;
    case 'actor.kill':
      killActor(turn, { from, id: message.id }, message.actor);
      return;
    case 'actor.verdict':
      actorVerdict(turn, { from, id: message.id }, message.actor, message.process);
      return;
    case 'group.remove':
      removeGroup(turn, message.group, { from, id: message.id });
      return;
    case 'cancel':
      cancel(turn, { from, id: message.id });
      return;
    case 'status':
      turn.reply({ from, id: message.id }, statusOf(turn.state, turn.at));
      return;
    case 'job.submit':
    case 'job.list':
    case 'job.status':
    case 'job.wait':
    case 'job.kill':
    case 'job.delete':
    case 'job.join':
    case 'job.started':
    case 'job.exited':
      serveJob(turn, from, message);
      return;
    default:
      if ('id' in message) {
        const text = `the head does not answer ${message.kind}`;
        turn.fail({ from, id: message.id }, new RuntimeError('E_PROTOCOL', text));
      }
  }
}

/** A process is gone: its node, what it owned, what it waited for. */
function leave(turn: Turn, process: ProcessId, role: Role, why: string): void {
  for (const node of [...turn.state.nodes.values()]) {
    if (node.agent === process) loseNode(turn, node, why);
  }
  turn.state.present.delete(process);
  endOwned(turn, process, `its owner, ${role} ${process}, left: ${why}`);
  leaveJob(turn, process);
  forgetWaiter(turn, process);
}

/** Whoever asked has given up waiting. Its answer may be under way, but it will not look at it any more. */
function cancel(turn: Turn, request: Request): void {
  const same = (other: Request): boolean => sameRequest(other, request);
  const givenUp = new RuntimeError('E_ABORTED', 'its asker gave up');
  for (const actor of [...turn.state.actors.values()]) {
    if (actor.verdicts.some(same)) {
      actor.verdicts = actor.verdicts.filter((other) => !same(other));
      turn.fail(request, givenUp);
    }
    if (!same(actor.creator)) continue;
    endActor(turn, actor, new RuntimeError('E_ABORTED', `${actor.label}: its creator gave up`));
  }
  for (const group of [...turn.state.groups.values()]) {
    if (!same(group.creator)) continue;
    if (group.state.phase === 'waiting') turn.fail(request, givenUp);
    removeGroup(turn, group.id);
  }
  const waits = [...turn.state.jobs.values()].some(({ waiters }) => waiters.some(same));
  forgetWaiter(turn, request.from, request.id);
  if (waits) turn.fail(request, givenUp);
}

/** Whatever an event has freed or asked for: let those go on that can, oldest first. */
function settle(turn: Turn): void {
  while (turn.hasChanged) {
    turn.hasChanged = false;
    for (const group of [...turn.state.groups.values()]) finishRemoval(turn, group);
    for (const group of [...turn.state.groups.values()]) reserveGroup(turn, group);
    for (const actor of [...turn.state.actors.values()]) placeActor(turn, actor);
    for (const job of [...turn.state.jobs.values()]) placeJob(turn, job);
  }
}
