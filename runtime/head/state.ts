/** What the head knows. Only `brain.ts` changes it. */

import type { WireError } from '../errors.js';
import type { ActorId, GroupId, JobId, NodeId, ProcessId } from '../ids.js';
import type { LabelSelector, Labels } from '../labels.js';
import type { Quantities } from '../resources.js';
import type { ActorSpec, GroupStrategy } from '../wire/actor-spec.js';
import type { Address } from '../wire/address.js';
import type { JobEnd, JobSpec } from '../wire/job-spec.js';
import type { Gpu, Message } from '../wire/messages.js';

export interface NodeRecord {
  readonly id: NodeId;
  readonly name: string;
  readonly agent: ProcessId;
  readonly total: Quantities;
  readonly gpus: readonly Gpu[];
  readonly labels: Labels;
  free: Quantities;
  /** Free share of each GPU, in units of 1/10,000, by uuid. */
  readonly gpuFree: Map<string, number>;
  /** Actors, jobs and bundles that have claimed something here, be it nothing at all. */
  claims: number;
  beatAt: number;
  lagMs: number;
  /** Since a restart of the head it is not back; if it is not by then, it is lost. */
  awayUntil: number | undefined;
}

/** Resources taken from one node, by an actor or by a bundle. */
export interface Claim {
  readonly node: NodeId;
  readonly need: Quantities;
  /** Share taken of each GPU, by uuid. */
  readonly gpus: ReadonlyMap<string, number>;
}

/** Who waits for an answer. */
export interface Request {
  readonly from: ProcessId;
  readonly id: number;
}

export type ActorState =
  | { readonly phase: 'pending'; readonly since: number; readonly why: readonly string[] }
  | { readonly phase: 'starting'; readonly claim: Claim }
  | { readonly phase: 'alive'; readonly claim: Claim; readonly address: Address }
  | { readonly phase: 'dead'; readonly at: number; readonly cause: WireError };

export interface ActorRecord {
  readonly id: ActorId;
  readonly spec: ActorSpec;
  readonly label: string;
  readonly owner: ProcessId;
  readonly creator: Request;
  /** Who waits for the actor to be alive for the first time: the creator, and others who asked for it by name. */
  awaited: Request[];
  /** Callers who want to know why the actor died. */
  verdicts: Request[];
  /** Who asked for the actor's end, until it is dead. */
  killers: Request[];
  /** It waits for others, and its processors are free meanwhile. */
  isLending: boolean;
  /** It was asked to end: it is not restarted. */
  isEnding: boolean;
  /** How often it has begun anew. */
  restarts: number;
  /** What its own `snapshot()` returned last, encoded: its next life begins with it. Empty if there is none. */
  snapshot: Uint8Array;
  /** What it says of itself while it lives, for people to read. */
  note: string;
  state: ActorState;
}

/** Of an actor that has taken none. */
export const noSnapshot: Uint8Array = new Uint8Array();

export interface Bundle {
  readonly need: Quantities;
  /** Absent until the whole group is reserved. */
  claim: Claim | undefined;
  /** What the bundle's actors have left, and the free share of its GPUs. */
  free: Quantities;
  gpuFree: Map<string, number>;
}

export type GroupState =
  | { readonly phase: 'waiting'; readonly why: readonly string[] }
  | { readonly phase: 'ready' }
  /** Asked to go: its resources return when its last actor is dead. */
  | { readonly phase: 'removing' };

export interface GroupRecord {
  readonly id: GroupId;
  readonly owner: ProcessId;
  readonly strategy: GroupStrategy;
  readonly labelSelector: LabelSelector;
  readonly bundles: readonly Bundle[];
  /** Has its answer once the group is ready. */
  readonly creator: Request;
  readonly since: number;
  state: GroupState;
  /** Who asked for its removal, until it is done. */
  readonly removers: Request[];
}

export type JobState =
  | { readonly phase: 'pending'; readonly since: number; readonly why: readonly string[] }
  | { readonly phase: 'starting'; readonly claim: Claim }
  | { readonly phase: 'running'; readonly claim: Claim; readonly startedAt: number }
  | {
      readonly phase: 'ended';
      readonly at: number;
      readonly end: JobEnd;
      /** Name of the node on which it ran, if that is still there. */
      readonly node?: string;
      readonly startedAt?: number;
    };

export interface JobRecord {
  readonly id: JobId;
  readonly spec: JobSpec;
  readonly submittedAt: number;
  readonly creator: Request;
  /** Who asked to be told of its end. */
  waiters: Request[];
  /** Its agent was asked to end it. */
  isStopping: boolean;
  state: JobState;
}

export interface HeadState {
  readonly nodes: Map<NodeId, NodeRecord>;
  readonly actors: Map<ActorId, ActorRecord>;
  readonly groups: Map<GroupId, GroupRecord>;
  /** In the order of submission; of those that have ended only the newest. */
  readonly jobs: Map<JobId, JobRecord>;
  /** Processes that work for a job: what they own ends with it. */
  readonly members: Map<ProcessId, JobId>;
  /** Ids of the dead, oldest first: only the newest are remembered. */
  readonly graves: ActorId[];
  tickedAt: number | undefined;
  /** Processes that have a link to the head. */
  readonly present: Set<ProcessId>;
  /** After a restart: owners that are not present by then have left. */
  ownersUntil: number | undefined;
  /** What was asked about actors that only a node that is away can know. */
  held: { readonly from: ProcessId; readonly message: Message }[];
}

export const newHeadState = (): HeadState => ({
  nodes: new Map(),
  actors: new Map(),
  groups: new Map(),
  jobs: new Map(),
  members: new Map(),
  graves: [],
  tickedAt: undefined,
  present: new Set(),
  ownersUntil: undefined,
  held: [],
});

export const sameRequest = (a: Request, b: Request): boolean => a.from === b.from && a.id === b.id;

/** The record that a request has made, if it was made before: whoever asks again gets the same. */
export function madeBy<Made extends { readonly creator: Request }>(
  records: Iterable<Made>,
  request: Request,
): Made | undefined {
  for (const one of records) if (sameRequest(one.creator, request)) return one;
  return undefined;
}

/** What `patchbay status` shows. */
export interface ClusterStatus {
  readonly nodes: readonly {
    readonly id: NodeId;
    readonly name: string;
    readonly total: Readonly<Record<string, number>>;
    readonly free: Readonly<Record<string, number>>;
    readonly gpus: readonly Gpu[];
    readonly labels: Labels;
    readonly lagMs: number;
    /** Not back since the head was restarted. */
    readonly isAway: boolean;
  }[];
  readonly actors: readonly {
    readonly id: ActorId;
    readonly label: string;
    readonly phase: ActorState['phase'];
    readonly node?: string;
    readonly resources: Readonly<Record<string, number>>;
    /** Why it waits, or how it died. */
    readonly note?: string;
  }[];
  readonly groups: readonly {
    readonly id: GroupId;
    readonly strategy: GroupStrategy;
    readonly phase: GroupState['phase'];
    readonly ready: boolean;
    readonly nodes: readonly string[];
    readonly note?: string;
  }[];
}
