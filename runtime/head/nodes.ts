/** Nodes as they come and go. */

import { RuntimeError, toWireError } from '../errors.js';
import type { ProcessId } from '../ids.js';
import type { MessageOf } from '../wire/messages.js';
import { actorExited } from './actor-end.js';
import { endJob } from './jobs.js';
import { rejoinNode } from './rejoin.js';
import { idleGpus } from './room.js';
import type { NodeRecord } from './state.js';
import type { Turn } from './turn.js';

export function joinNode(turn: Turn, from: ProcessId, message: MessageOf<'node.join'>): void {
  const { id, node, name, resources, gpus, labels } = message;
  if (turn.state.nodes.has(node)) {
    // Asked again by an agent that missed the answer.
    rejoinNode(turn, from, { node, actors: [], exits: [], jobs: [], jobExits: [] });
    turn.reply({ from, id }, null);
    return;
  }
  const namesake = [...turn.state.nodes.values()].find((other) => other.name === name);
  if (namesake && namesake.awayUntil !== undefined) {
    // Whoever starts a node by its old name after a crash knows that the old one is gone.
    loseNode(turn, namesake, 'another of that name has joined');
  } else if (namesake) {
    const text = `a node named ${name} is here already; choose another with --name`;
    turn.fail({ from, id }, new RuntimeError('E_NAME_TAKEN', text));
    return;
  }
  turn.state.nodes.set(node, {
    id: node,
    name,
    agent: from,
    total: resources,
    free: resources,
    gpus,
    labels,
    gpuFree: idleGpus(gpus),
    claims: 0,
    beatAt: turn.at,
    lagMs: 0,
    awayUntil: undefined,
  });
  turn.touched.nodes.add(node);
  turn.reply({ from, id }, null);
  turn.hasChanged = true;
}

export function nodeBeat(turn: Turn, { node: id, lagMs }: MessageOf<'node.beat'>): void {
  const node = turn.state.nodes.get(id);
  if (node) Object.assign(node, { beatAt: turn.at, lagMs });
}

export function loseNode(turn: Turn, node: NodeRecord, why: string): void {
  for (const job of [...turn.state.jobs.values()]) {
    if (!('claim' in job.state) || job.state.claim.node !== node.id) continue;
    const message = `its node ${node.name} was lost (${why})`;
    endJob(turn, job, { phase: job.isStopping ? 'stopped' : 'failed', message });
  }
  turn.state.nodes.delete(node.id);
  turn.touched.nodes.add(node.id);
  turn.hasChanged = true;
  for (const actor of [...turn.state.actors.values()]) {
    const { state } = actor;
    if (state.phase === 'dead' || state.phase === 'pending') continue;
    if (state.claim.node !== node.id) continue;
    const text = `${actor.label}: its node ${node.name} was lost (${why})`;
    actorExited(turn, actor, toWireError(new RuntimeError('E_ACTOR_DEAD', text)));
  }
}

/** Nodes whose beats stay away are dead. */
export function checkBeats(turn: Turn): void {
  const { state, at, settings } = turn;
  const { nodeTimeoutMs } = settings;
  const asleepMs = at - (state.tickedAt ?? at);
  state.tickedAt = at;
  // The head itself stood still: the beats of that time are waiting in its sockets.
  if (asleepMs > nodeTimeoutMs / 2) {
    for (const node of state.nodes.values()) {
      node.beatAt = at;
      if (node.awayUntil !== undefined) node.awayUntil += asleepMs;
    }
    if (state.ownersUntil !== undefined) state.ownersUntil += asleepMs;
  }
  for (const node of [...state.nodes.values()]) {
    if (node.awayUntil !== undefined) {
      if (at < node.awayUntil) continue;
      const within = `${settings.rejoinTimeoutMs / 1000} s after the head was restarted`;
      loseNode(turn, node, `not back ${within}`);
      continue;
    }
    const silentMs = at - node.beatAt;
    if (silentMs <= nodeTimeoutMs) continue;
    turn.send(node.agent, { kind: 'node.stop', why: 'declared dead: no beat' });
    loseNode(turn, node, `no beat for ${Math.round(silentMs / 1000)} s`);
  }
}
