/** What processes report of themselves: lines, counts and spans, as they cross the wire. */

import type { ActorId, JobId } from '../ids.js';

export const outputs = ['stdout', 'stderr'] as const;
export type Output = (typeof outputs)[number];

export interface OutputLine {
  readonly stream: Output;
  readonly text: string;
}

/** What a job's lines are known by. No id of an actor has a colon. */
export type JobSource = `job:${JobId}`;
/** Who prints: an actor, or a job's entry point. */
export type LogSource = ActorId | JobSource;

const jobPrefix = 'job:';
export const jobSource = (job: JobId): JobSource => `${jobPrefix}${job}`;
export const jobOf = (source: JobSource): JobId => source.slice(jobPrefix.length) as JobId;
export const isJobSource = (source: string): source is JobSource => source.startsWith(jobPrefix);

/** Lines of one actor or job. */
export interface LogBatch {
  readonly actor: LogSource;
  readonly label: string;
  /** Name of the node on which they were written. */
  readonly node: string;
  readonly lines: readonly OutputLine[];
}

/** How often a function ran as a task, and how often it threw. */
export interface TaskCount {
  readonly name: string;
  readonly finished: number;
  readonly failed: number;
}

/** One run of a function as a task. */
export interface TaskRun {
  readonly name: string;
  readonly phase: 'running' | 'finished' | 'failed';
  /** The task worker in which it runs or ran. */
  readonly worker: ActorId;
  /** Name of the node. */
  readonly node: string;
  /** Milliseconds since 1970, by the node's clock. */
  readonly start: number;
  /** How long it has run. */
  readonly ms: number;
}

export interface NodeStats {
  /** Hosts that wait for an actor, and hosts that have one. */
  readonly warm: number;
  readonly busy: number;
  /** Of all hosts since the agent started, also of those that have ended. */
  readonly cpuSeconds: number;
  /** Of the living hosts. */
  readonly rssBytes: number;
  readonly linesDropped: number;
  readonly latestDropped: number;
  readonly tasks: readonly TaskCount[];
  readonly store: StoreStats;
}

/** What a store of large objects has. */
export interface StoreStats {
  /** In memory. */
  readonly objects: number;
  readonly bytes: number;
  /** On disk. */
  readonly spilledObjects: number;
  readonly spilledBytes: number;
}

/** A large object in a store. */
export interface StoredObject {
  /** Name of the node, or `driver` with its pid. */
  readonly store: string;
  readonly key: string;
  readonly bytes: number;
  /** A copy was fetched from another store, and may be dropped. */
  readonly as: 'original' | 'copy';
  readonly where: 'memory' | 'disk';
  /** Processes that have it mapped. */
  readonly readers: number;
}

/** Calls that a host has finished, and parts of them, oldest first, in columns: one entry of each is one span. */
export interface HostTrace {
  readonly actor: ActorId;
  readonly label: string;
  readonly pid: number;
  /** Methods and functions by number. */
  readonly names: readonly string[];
  readonly name: Uint16Array;
  /** Milliseconds since 1970. */
  readonly start: Float64Array;
  readonly ms: Float64Array;
  /** 1 if it threw. */
  readonly failed: Uint8Array;
  /** 1 if it is not a call but a part of one, of which the code has told. */
  readonly part: Uint8Array;
}

export interface NodeTrace {
  readonly node: string;
  readonly hosts: readonly HostTrace[];
}
