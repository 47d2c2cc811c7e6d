/** The head's state as people read it. */

import { toResources } from '../resources.js';
import type { ActorRecord, ClusterStatus, HeadState } from './state.js';

export function statusOf(state: HeadState, at: number): ClusterStatus {
  const nameOf = (id: string): string =>
    [...state.nodes.values()].find((node) => node.id === id)?.name ?? id;
  return {
    nodes: [...state.nodes.values()].map((node) => ({
      id: node.id,
      name: node.name,
      total: toResources(node.total),
      free: toResources(node.free),
      gpus: node.gpus,
      labels: node.labels,
      lagMs: node.lagMs,
      isAway: node.awayUntil !== undefined,
    })),
    actors: [...state.actors.values()].map((actor) => {
      const note = noteOf(actor, at);
      const { phase } = actor.state;
      return {
        id: actor.id,
        label: actor.label,
        phase,
        ...('claim' in actor.state ? { node: nameOf(actor.state.claim.node) } : {}),
        resources: toResources(actor.spec.resources),
        ...(note ? { note } : {}),
      };
    }),
    groups: [...state.groups.values()].map((group) => ({
      id: group.id,
      strategy: group.strategy,
      phase: group.state.phase,
      ready: group.state.phase === 'ready',
      nodes: group.bundles.flatMap(({ claim }) => (claim ? [nameOf(claim.node)] : [])),
      ...(group.state.phase === 'waiting'
        ? { note: waiting(group.since, group.state.why, at) }
        : {}),
    })),
  };
}

function noteOf({ state, note }: ActorRecord, at: number): string | undefined {
  switch (state.phase) {
    case 'pending':
      return waiting(state.since, state.why, at);
    case 'dead':
      return state.cause.message;
    case 'starting':
    case 'alive':
      return note === '' ? undefined : note;
  }
}

const waiting = (since: number, why: readonly string[], at: number): string =>
  `waits for ${Math.round((at - since) / 1000)} s: ${why.join('; ')}`;
