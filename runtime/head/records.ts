/**
 * Nodes, actors and groups as rows of the journal. Task workers have none: they are many and short, and after
 * a restart their agents tell of them. What can be told again, such as who waits for an answer, is not kept.
 */

import type { WireError } from '../errors.js';
import type { ActorId, CodeId, GroupId, JobId, NodeId, ProcessId } from '../ids.js';
import type { LabelSelector, Labels } from '../labels.js';
import type { Quantities } from '../resources.js';
import type { ActorSpec, GroupStrategy } from '../wire/actor-spec.js';
import type { Address } from '../wire/address.js';
import type { JobSpec } from '../wire/job-spec.js';
import type { Gpu } from '../wire/messages.js';
import type { Change } from './journal.js';
import type {
  ActorRecord,
  ActorState,
  Claim,
  GroupRecord,
  GroupState,
  HeadState,
  JobRecord,
  JobState,
  NodeRecord,
  Request,
} from './state.js';
import type { Touched } from './turn.js';

/** Of the journal's own row: which cluster it is of, and how often its head has started. */
export const headKey = 'head';
export const keyOf = {
  node: (id: NodeId): string => `node/${id}`,
  actor: (id: ActorId): string => `actor/${id}`,
  group: (id: GroupId): string => `group/${id}`,
  job: (id: JobId): string => `job/${id}`,
  snapshot: (id: ActorId): string => `snapshot/${id}`,
  code: (id: CodeId): string => `code/${id}`,
} as const;

/** What a step has changed, as changes of rows. */
export function changesOf(state: HeadState, touched: Touched): Change[] {
  const { nodes, actors, groups, jobs, snapshots } = touched;
  const changes: Change[] = [];
  for (const id of nodes) {
    const node = state.nodes.get(id);
    changes.push({ key: keyOf.node(id), value: node && nodeRow(node) });
  }
  for (const id of actors) {
    const actor = state.actors.get(id);
    if (actor && isTaskWorker(actor.spec)) continue;
    changes.push({ key: keyOf.actor(id), value: actor && actorRow(actor) });
  }
  for (const id of groups) {
    const group = state.groups.get(id);
    changes.push({ key: keyOf.group(id), value: group && groupRow(group) });
  }
  for (const id of jobs) {
    const job = state.jobs.get(id);
    changes.push({ key: keyOf.job(id), value: job && jobRow(state, job) });
  }
  for (const id of snapshots) {
    const snapshot = state.actors.get(id)?.snapshot;
    const value = snapshot && snapshot.length > 0 ? snapshot : undefined;
    changes.push({ key: keyOf.snapshot(id), value });
  }
  return changes;
}

export const isTaskWorker = ({ exportName }: ActorSpec): boolean => exportName === '';

export interface HeadRow {
  /** What the head calls itself; it stays over restarts. */
  readonly cluster: ProcessId;
  /** How often it has started. */
  readonly epoch: number;
}

export interface NodeRow {
  readonly name: string;
  readonly agent: ProcessId;
  readonly total: Quantities;
  readonly gpus: readonly Gpu[];
  readonly labels: Labels;
}

export interface ClaimRow {
  readonly node: NodeId;
  readonly need: Quantities;
  readonly gpus: readonly (readonly [uuid: string, units: number])[];
}

export interface ActorRow {
  readonly spec: ActorSpec;
  readonly label: string;
  readonly creator: Request;
  readonly isEnding: boolean;
  readonly restarts: number;
  readonly state:
    | { readonly phase: 'pending'; readonly since: number }
    | { readonly phase: 'starting'; readonly claim: ClaimRow }
    | { readonly phase: 'alive'; readonly claim: ClaimRow; readonly address: Address }
    | { readonly phase: 'dead'; readonly at: number; readonly cause: WireError };
}

export interface GroupRow {
  readonly strategy: GroupStrategy;
  readonly labelSelector: LabelSelector;
  readonly creator: Request;
  readonly since: number;
  readonly bundles: readonly { readonly need: Quantities; readonly claim: ClaimRow | null }[];
  readonly phase: GroupState['phase'];
}

export interface JobRow {
  readonly spec: JobSpec;
  readonly submittedAt: number;
  readonly creator: Request;
  readonly isStopping: boolean;
  /** Processes that work for it. */
  readonly members: readonly ProcessId[];
  readonly state:
    | { readonly phase: 'pending'; readonly since: number }
    | { readonly phase: 'starting'; readonly claim: ClaimRow }
    | { readonly phase: 'running'; readonly claim: ClaimRow; readonly startedAt: number }
    | Extract<JobState, { readonly phase: 'ended' }>;
}

const nodeRow = ({ name, agent, total, gpus, labels }: NodeRecord): NodeRow => ({
  labels,
  name,
  agent,
  total,
  gpus,
});

function actorRow({ spec, label, creator, isEnding, restarts, state }: ActorRecord): ActorRow {
  // Nobody starts a dead actor again.
  const kept = state.phase === 'dead' ? { ...spec, args: new Uint8Array() } : spec;
  return { spec: kept, label, creator, isEnding, restarts, state: stateRow(state) };
}

function stateRow(state: ActorState): ActorRow['state'] {
  switch (state.phase) {
    case 'pending':
      return { phase: 'pending', since: state.since };
    case 'starting':
      return { phase: 'starting', claim: claimRow(state.claim) };
    case 'alive':
      return { phase: 'alive', claim: claimRow(state.claim), address: state.address };
    case 'dead':
      return state;
  }
}

const groupRow = (group: GroupRecord): GroupRow => ({
  strategy: group.strategy,
  labelSelector: group.labelSelector,
  creator: group.creator,
  since: group.since,
  bundles: group.bundles.map(({ need, claim: taken }) => ({
    need,
    claim: taken ? claimRow(taken) : null,
  })),
  phase: group.state.phase,
});

function jobRow({ members }: HeadState, job: JobRecord): JobRow {
  const { id, spec, submittedAt, creator, isStopping, state } = job;
  const own = [...members].flatMap(([process, of]) => (of === id ? [process] : []));
  return { spec, submittedAt, creator, isStopping, members: own, state: jobStateRow(state) };
}

function jobStateRow(state: JobState): JobRow['state'] {
  switch (state.phase) {
    case 'pending':
      return { phase: 'pending', since: state.since };
    case 'starting':
    case 'running':
      return { ...state, claim: claimRow(state.claim) };
    case 'ended':
      return state;
  }
}

const claimRow = ({ node, need, gpus }: Claim): ClaimRow => ({ node, need, gpus: [...gpus] });
