/** A job as it is submitted, as it ends, and as people read it. All of it is plain data. */

import type { CodeId, JobId } from '../ids.js';
import type { LabelSelector } from '../labels.js';
import type { Quantities, Resources } from '../resources.js';

/** What a job runs. */
export type JobEntry =
  | {
      readonly kind: 'command';
      /** For `/bin/sh -c`. */
      readonly command: string;
      readonly env: Readonly<Record<string, string>>;
      /** On the node. @default the folder in which the node was started */
      readonly cwd?: string;
    }
  | {
      readonly kind: 'module';
      readonly code: CodeId;
      /** The module's file, for people. */
      readonly file: string;
      readonly exportName: string;
      /** JSON of the list of arguments. */
      readonly args: string;
    };

export interface JobSpec {
  readonly entry: JobEntry;
  /** Held by the entry point itself, not by what it creates. */
  readonly resources: Quantities;
  /** Only on nodes with such labels. */
  readonly labelSelector?: LabelSelector;
  /** Of no meaning to the cluster. */
  readonly metadata: Readonly<Record<string, string>>;
}

export const jobEndPhases = ['succeeded', 'failed', 'stopped'] as const;

/** How a job ended. */
export interface JobEnd {
  readonly phase: (typeof jobEndPhases)[number];
  /** Why it failed. */
  readonly message?: string;
  /** Of a command that was not ended by a signal. */
  readonly exitCode?: number;
  /** JSON of what a module's function returned. */
  readonly result?: string;
}

export type JobPhase = 'pending' | 'running' | JobEnd['phase'];

/** What the head tells of a job. Times are milliseconds since 1970. */
export interface JobStatus {
  readonly id: JobId;
  readonly phase: JobPhase;
  /** The command, or the module's function with its arguments. */
  readonly entrypoint: string;
  readonly resources: Resources;
  /** Present if it was given one. */
  readonly labelSelector?: LabelSelector;
  readonly metadata: Readonly<Record<string, string>>;
  /** Name of the node on which it runs or ran. */
  readonly node?: string;
  readonly submittedAt: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly exitCode?: number;
  /** Why it waits, or why it failed. */
  readonly note?: string;
  /** What a module's function returned; not in lists. */
  readonly result?: unknown;
}
