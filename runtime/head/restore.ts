/** The state of a head from the rows of its journal: everybody is expected back, and what they hold stays counted. */

import * as z from 'zod';
import { RuntimeError } from '../errors.js';
import type { ActorId, CodeId, GroupId, JobId, NodeId, ProcessId } from '../ids.js';
import type { Code } from './code-store.js';
import type { Row } from './journal.js';
import { type ActorRow, type ClaimRow, type HeadRow, headKey, type JobRow } from './records.js';
import { idleGpus, take } from './room.js';
import {
  actorShape,
  codeShape,
  groupShape,
  headShape,
  jobShape,
  nodeShape,
  snapshotShape,
} from './row-shapes.js';
import {
  type ActorRecord,
  type ActorState,
  type Claim,
  type GroupRecord,
  type GroupState,
  type HeadState,
  type JobRecord,
  type JobState,
  type NodeRecord,
  newHeadState,
  noSnapshot,
} from './state.js';
import { type BrainSettings, brainSettings } from './turn.js';

export interface Restored {
  /** Absent in a new journal. */
  readonly head: HeadRow | undefined;
  readonly state: HeadState;
  readonly codes: ReadonlyMap<CodeId, Code>;
}

/** @throws RuntimeError `E_JOURNAL` naming the row that makes no sense. */
export function restore(
  rows: Iterable<Row>,
  at: number,
  settings: BrainSettings = brainSettings,
): Restored {
  const nodes: NodeRecord[] = [];
  const actors: ActorRecord[] = [];
  const groups: GroupRecord[] = [];
  const jobs: [JobRecord, readonly ProcessId[]][] = [];
  const snapshots = new Map<ActorId, Uint8Array>();
  const codes = new Map<CodeId, Code>();
  let head: HeadRow | undefined;
  for (const row of rows) {
    const [kind, id = ''] = row.key.split('/');
    switch (kind) {
      case headKey:
        head = parse(row, headShape);
        break;
      case 'node':
        nodes.push(nodeOf(id as NodeId, row, at, settings));
        break;
      case 'actor':
        actors.push(actorOf(id as ActorId, row));
        break;
      case 'group':
        groups.push(groupOf(id as GroupId, row));
        break;
      case 'job':
        jobs.push(jobOf(id as JobId, row));
        break;
      case 'snapshot':
        snapshots.set(id as ActorId, parse(row, snapshotShape));
        break;
      case 'code':
        codes.set(id as CodeId, parse(row, codeShape));
        break;
      default:
        throw damaged(row, 'nobody wrote such a row');
    }
  }
  const state = newHeadState();
  if (head) state.ownersUntil = at + settings.ownerGraceMs;
  for (const node of nodes) state.nodes.set(node.id, node);
  for (const group of groups.sort((a, b) => a.since - b.since || byCreator(a, b))) {
    state.groups.set(group.id, group);
  }
  for (const actor of actors.sort((a, b) => timeOf(a) - timeOf(b) || byCreator(a, b))) {
    state.actors.set(actor.id, actor);
    if (actor.state.phase === 'dead') state.graves.push(actor.id);
  }
  for (const [actor, snapshot] of snapshots) {
    const record = state.actors.get(actor);
    if (record) record.snapshot = snapshot;
  }
  for (const [job, members] of jobs.sort(([a], [b]) => a.submittedAt - b.submittedAt)) {
    state.jobs.set(job.id, job);
    for (const process of members) state.members.set(process, job.id);
  }
  countClaims(state);
  return { head, state, codes };
}

function nodeOf(id: NodeId, row: Row, at: number, settings: BrainSettings): NodeRecord {
  const node = parse(row, nodeShape);
  return {
    id,
    ...node,
    free: node.total,
    gpuFree: idleGpus(node.gpus),
    claims: 0,
    beatAt: at,
    lagMs: 0,
    awayUntil: at + settings.rejoinTimeoutMs,
  };
}

function actorOf(id: ActorId, row: Row): ActorRecord {
  const { state, ...actor } = parse(row, actorShape);
  return {
    id,
    ...actor,
    owner: actor.creator.from,
    awaited: [],
    verdicts: [],
    killers: [],
    isLending: false,
    snapshot: noSnapshot,
    note: '',
    state: stateOf(state),
  };
}

function groupOf(id: GroupId, row: Row): GroupRecord {
  const { creator, bundles, phase, ...group } = parse(row, groupShape);
  return {
    id,
    ...group,
    creator,
    owner: creator.from,
    bundles: bundles.map(({ need, claim }) => ({
      need,
      claim: claim ? claimOf(claim) : undefined,
      free: need,
      gpuFree: new Map(claim?.gpus),
    })),
    state: groupStateOf(phase),
    removers: [],
  };
}

function jobOf(id: JobId, row: Row): [JobRecord, readonly ProcessId[]] {
  const { members, state, ...job } = parse(row, jobShape);
  return [{ id, ...job, waiters: [], state: jobStateOf(state) }, members];
}

/** What bundles, actors and jobs hold is not free. */
function countClaims(state: HeadState): void {
  for (const { bundles } of state.groups.values()) {
    for (const { claim } of bundles) {
      const node = claim && state.nodes.get(claim.node);
      if (node) take(node, claim);
    }
  }
  for (const { state: now } of state.jobs.values()) {
    const node = 'claim' in now ? state.nodes.get(now.claim.node) : undefined;
    if (node && 'claim' in now) take(node, now.claim);
  }
  for (const { state: now, spec } of state.actors.values()) {
    if (now.phase !== 'starting' && now.phase !== 'alive') continue;
    const { bundle } = spec;
    const room = bundle
      ? state.groups.get(bundle.group)?.bundles[bundle.index]
      : state.nodes.get(now.claim.node);
    if (room) take(room, now.claim);
  }
}

/** What waits keeps its turn, and the oldest grave is forgotten first. */
function timeOf({ state }: ActorRecord): number {
  switch (state.phase) {
    case 'pending':
      return state.since;
    case 'dead':
      return state.at;
    case 'starting':
    case 'alive':
      return 0;
  }
}

const byCreator = (a: ActorRecord | GroupRecord, b: ActorRecord | GroupRecord): number =>
  a.creator.id - b.creator.id;

const claimOf = ({ node, need, gpus }: ClaimRow): Claim => ({ node, need, gpus: new Map(gpus) });

function stateOf(row: ActorRow['state']): ActorState {
  switch (row.phase) {
    case 'pending':
      return { ...row, why: [] };
    case 'starting':
    case 'alive':
      return { ...row, claim: claimOf(row.claim) };
    case 'dead':
      return row;
  }
}

function jobStateOf(row: JobRow['state']): JobState {
  switch (row.phase) {
    case 'pending':
      return { ...row, why: [] };
    case 'starting':
    case 'running':
      return { ...row, claim: claimOf(row.claim) };
    case 'ended':
      return row;
  }
}

const groupStateOf = (phase: GroupState['phase']): GroupState =>
  phase === 'waiting' ? { phase, why: [] } : { phase };

function parse<T>(row: Row, shape: z.ZodType<T>): T {
  const parsed = shape.safeParse(row.value);
  if (!parsed.success) throw damaged(row, z.prettifyError(parsed.error));
  return parsed.data;
}

const damaged = ({ key }: Row, why: string): RuntimeError =>
  new RuntimeError('E_JOURNAL', `row ${key} of the journal is damaged: ${why}`);
