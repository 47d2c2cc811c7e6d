/** Every message that crosses a link is in this file and nowhere else; `shapes.ts` says how each looks on the wire. */

import type { WireError } from '../errors.js';
import type { ActorId, CodeId, GroupId, JobId, NodeId, ProcessId } from '../ids.js';
import type { LabelSelector, Labels } from '../labels.js';
import type { LogBatch, NodeStats, TaskCount } from '../observe/reports.js';
import type { Quantities } from '../resources.js';
import type { ActorSpec, GroupStrategy } from './actor-spec.js';
import type { Address, ObjectPlace } from './address.js';
import type { JobEnd, JobSpec } from './job-spec.js';
import type { ActorExit, JobExit, LivingActor, LivingJob } from './living.js';

/** Oldest and newest protocol this build speaks. */
export const protocol = { oldest: 1, newest: 1 } as const;

export type Role = 'head' | 'agent' | 'host' | 'driver';

export interface Gpu {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly memoryMb: number;
}

/** Calls between any two processes. `id` counts per link and sender. */
export type CallMessage =
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly actor: ActorId;
      readonly method: string;
      readonly args: readonly unknown[];
      /** The method is a generator: answers are `stream.item`s, then `stream.end`. */
      readonly stream: boolean;
    }
  | {
      readonly kind: 'tell';
      readonly actor: ActorId;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  | {
      /** Fire and forget on the latest-wins lane: an unsent older message of the slot is dropped. */
      readonly kind: 'latest';
      /** Process that the credit goes back to. */
      readonly sender: ProcessId;
      readonly to: Address;
      readonly actor: ActorId;
      readonly slot: string;
      /** Messages of the slot that may be under way at once. */
      readonly credits: number;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  | {
      readonly kind: 'latest.credit';
      readonly sender: ProcessId;
      readonly actor: ActorId;
      readonly slot: string;
    }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'stream.credit'; readonly id: number; readonly count: number };

/** Answers to anything that carries an `id`. */
export type AnswerMessage =
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError }
  | { readonly kind: 'stream.item'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'stream.end'; readonly id: number };

/** Anyone → head. */
export type ToHead =
  | {
      readonly kind: 'node.join';
      readonly id: number;
      readonly node: NodeId;
      readonly name: string;
      readonly resources: Quantities;
      readonly gpus: readonly Gpu[];
      readonly labels: Labels;
    }
  /** A node is back at a head that was restarted: told before anything else, answered only if it has to end (`node.stop`). */
  | {
      readonly kind: 'node.rejoin';
      readonly node: NodeId;
      readonly actors: readonly LivingActor[];
      /** The last ones, whether they were told before or not. */
      readonly exits: readonly ActorExit[];
      readonly jobs: readonly LivingJob[];
      readonly jobExits: readonly JobExit[];
    }
  | { readonly kind: 'node.beat'; readonly node: NodeId; readonly lagMs: number }
  | { readonly kind: 'actor.alive'; readonly actor: ActorId; readonly address: Address }
  /** It waits for others, and lends its processors out meanwhile. */
  | { readonly kind: 'actor.waiting'; readonly actor: ActorId; readonly waiting: boolean }
  /** What an actor says of itself, for those who ask for the cluster's state. */
  | { readonly kind: 'actor.note'; readonly actor: ActorId; readonly note: string }
  | { readonly kind: 'actor.exited'; readonly actor: ActorId; readonly cause: WireError }
  | { readonly kind: 'actor.create'; readonly id: number; readonly spec: ActorSpec }
  | {
      readonly kind: 'actor.find';
      readonly id: number;
      readonly name: string;
      readonly namespace: string;
    }
  | { readonly kind: 'actor.kill'; readonly id: number; readonly actor: ActorId }
  /** What the actor goes on from if it is restarted: the newest counts. */
  | { readonly kind: 'actor.snapshot'; readonly actor: ActorId; readonly state: Uint8Array }
  /** Answered when all that was told before is kept for the next head. */
  | { readonly kind: 'told.kept'; readonly id: number }
  /** Answered with where the actor is now, or the cause of its death, once the head knows. */
  | {
      readonly kind: 'actor.verdict';
      readonly id: number;
      readonly actor: ActorId;
      /** Where it was. */
      readonly process: ProcessId;
    }
  | {
      readonly kind: 'group.create';
      readonly id: number;
      readonly bundles: readonly Quantities[];
      readonly strategy: GroupStrategy;
      /** Of the nodes of all bundles. */
      readonly labelSelector: LabelSelector;
    }
  | { readonly kind: 'group.remove'; readonly id: number; readonly group: GroupId }
  | {
      readonly kind: 'code.put';
      readonly id: number;
      readonly code: CodeId;
      readonly source: Uint8Array;
      readonly externals: readonly string[];
    }
  | { readonly kind: 'code.has'; readonly id: number; readonly code: CodeId }
  | { readonly kind: 'code.get'; readonly id: number; readonly code: CodeId }
  | { readonly kind: 'status'; readonly id: number };

/** Jobs: what anyone asks of the head, what the head asks of agents, and what those tell it. */
export type JobMessage =
  /** Answered with the job's id as soon as the job is known; an empty `job` lets the head make one. */
  | {
      readonly kind: 'job.submit';
      readonly id: number;
      readonly job: string;
      readonly spec: JobSpec;
    }
  | { readonly kind: 'job.list'; readonly id: number }
  | { readonly kind: 'job.status'; readonly id: number; readonly job: JobId }
  /** Answered with the status once the job has ended. */
  | { readonly kind: 'job.wait'; readonly id: number; readonly job: JobId }
  /** End it; answered like `job.wait`. */
  | { readonly kind: 'job.kill'; readonly id: number; readonly job: JobId }
  | { readonly kind: 'job.delete'; readonly id: number; readonly job: JobId }
  /** Driver → head: it works for this job, and what it creates ends with the job. */
  | { readonly kind: 'job.join'; readonly id: number; readonly job: JobId }
  /** Head → agent. The id may have been that of another job, which was submitted at another time. */
  | {
      readonly kind: 'job.start';
      readonly job: JobId;
      readonly submittedAt: number;
      readonly spec: JobSpec;
      readonly gpus: readonly string[];
    }
  | { readonly kind: 'job.stop'; readonly job: JobId }
  /** Agent → head, with the processes that are known to work for it. */
  | {
      readonly kind: 'job.started';
      readonly job: JobId;
      readonly submittedAt: number;
      readonly members: readonly ProcessId[];
    }
  /** Agent → head: none of its processes is left. */
  | {
      readonly kind: 'job.exited';
      readonly job: JobId;
      readonly submittedAt: number;
      readonly end: JobEnd;
    }
  /** Head → what works for a job that has ended, wherever it has hidden. */
  | { readonly kind: 'job.over'; readonly job: JobId; readonly why: string };

/** Anyone → the owner of objects. */
export type ToOwner =
  /** Answered with the value, or with the place where it lies. */
  | {
      readonly kind: 'object.get';
      readonly id: number;
      readonly object: string;
      /** Key of the place where it was looked for in vain, or empty. */
      readonly lost: string;
    }
  /** Somebody still holds refs to these. */
  | { readonly kind: 'object.hold'; readonly objects: readonly string[] }
  | { readonly kind: 'object.free'; readonly object: string };

/** Where an object lies in the shared memory of a store. */
export interface MemoryRange {
  readonly file: string;
  /** Of the whole file. */
  readonly size: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Anyone → a store: that of a node, which its agent keeps, or that of a driver. `pid` is who maps it, 0 for nobody. */
export type ToStore =
  /** Answered with a `MemoryRange` to write to, or null where there is no shared memory. */
  | {
      readonly kind: 'store.allocate';
      readonly id: number;
      readonly key: string;
      readonly bytes: number;
      readonly pid: number;
    }
  /** It is written. */
  | { readonly kind: 'store.seal'; readonly key: string }
  /** Answered with its `MemoryRange`, which stays as it is until it is let go; null if it is to be read by `store.read`. */
  | {
      readonly kind: 'store.pin';
      readonly id: number;
      readonly key: string;
      readonly pid: number;
    }
  | { readonly kind: 'store.unpin'; readonly keys: readonly string[] }
  /** Fetch it from another store, for whoever on this node wants it. Answered as `store.pin` is. */
  | {
      readonly kind: 'store.fetch';
      readonly id: number;
      readonly place: ObjectPlace;
      readonly pid: number;
    }
  /** Some bytes of an object that the asker has pinned. */
  | {
      readonly kind: 'store.read';
      readonly id: number;
      readonly key: string;
      readonly offset: number;
      readonly bytes: number;
    }
  /** Their owner wants these. */
  | { readonly kind: 'store.hold'; readonly keys: readonly string[] }
  | { readonly kind: 'store.free'; readonly keys: readonly string[] }
  /** Look for garbage that has objects mapped: the store is full. Store → whoever has mapped some. */
  | { readonly kind: 'store.collect'; readonly id: number }
  /** What is in it. */
  | { readonly kind: 'store.list'; readonly id: number };

/** Between processes of one machine, of memory in which they hand large segments of messages to each other. */
export type LendMessage =
  /** Map this memory. Answered with who has done so, and what it looks at there already, or null if it cannot. */
  | {
      readonly kind: 'lent.offer';
      readonly id: number;
      /** It is open in the sender: /proc/PID/fd/FD. */
      readonly pid: number;
      readonly fd: number;
      /** Of the whole memory. */
      readonly bytes: number;
      /** What is written at `at`: other memory must not be taken for it. */
      readonly mark: string;
      readonly at: number;
    }
  /** The receiver looks at these ranges no more. */
  | { readonly kind: 'lent.back'; readonly offsets: readonly number[] };

/** Head → agent. */
export type ToAgent =
  | {
      readonly kind: 'actor.start';
      readonly actor: ActorId;
      readonly label: string;
      readonly spec: ActorSpec;
      readonly gpus: readonly string[];
      /** Of its last life; empty if it left none. */
      readonly snapshot: Uint8Array;
      readonly owner: ProcessId;
      /** Id of the owner's `actor.create`. */
      readonly request: number;
      /** How often it has begun anew. */
      readonly restarts: number;
    }
  | { readonly kind: 'actor.stop'; readonly actor: ActorId }
  | { readonly kind: 'node.stop'; readonly why: string };

/** Between an agent and a host. */
export type HostMessage =
  | { readonly kind: 'host.ready'; readonly pid: number }
  | {
      readonly kind: 'host.start';
      readonly id: number;
      readonly actor: ActorId;
      readonly spec: ActorSpec;
      readonly snapshot: Uint8Array;
      /** The bundle on this node's disk. */
      readonly file: string;
      readonly label: string;
      readonly node: NodeId;
      readonly nodeName: string;
      readonly headUrl: string;
    }
  | { readonly kind: 'host.stop'; readonly id: number }
  /** A task worker is not needed any more. Answered with its trace if the process is idle and may serve another, else null. */
  | { readonly kind: 'host.rest'; readonly id: number };

/** What processes tell of themselves, and who asks for it. */
export type ObserveMessage =
  /** Agent → head → driver; answered when it was taken, so that no more is sent than is read. */
  | ({ readonly kind: 'log.lines'; readonly id: number } & LogBatch)
  /** Driver → head: whether lines of its actors are sent to it. */
  | { readonly kind: 'log.want'; readonly wanted: boolean }
  /** Driver → head → agents: answered when the lines written before have been passed on. */
  | { readonly kind: 'log.flush'; readonly id: number }
  /** Answered with a stream of lists of lines, which ends with the actor, or at once unless `follow`. */
  | {
      readonly kind: 'log.read';
      readonly id: number;
      /** Id or name; `job:ID` for a job. */
      readonly actor: string;
      readonly tail: number;
      readonly follow: boolean;
    }
  /** Host → agent: since the last time. */
  | {
      readonly kind: 'host.stats';
      readonly tasks: readonly TaskCount[];
      readonly latestDropped: number;
    }
  | { readonly kind: 'node.stats'; readonly node: NodeId; readonly stats: NodeStats }
  /** Anyone → head: the newest `node.stats` of every node, by the node's name. */
  | { readonly kind: 'stats'; readonly id: number }
  /** Driver → head → agents → hosts: what has run. */
  | { readonly kind: 'trace.get'; readonly id: number }
  /** Driver → head → agents → hosts: tasks that run, and the last ones that have. */
  | { readonly kind: 'tasks.list'; readonly id: number; readonly limit: number };

export type Message =
  | CallMessage
  | AnswerMessage
  | ToHead
  | JobMessage
  | ToOwner
  | ToStore
  | LendMessage
  | ToAgent
  | HostMessage
  | ObserveMessage;
export type MessageKind = Message['kind'];
export type MessageOf<Kind extends MessageKind> = Extract<Message, { readonly kind: Kind }>;
