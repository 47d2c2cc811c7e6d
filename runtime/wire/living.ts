/** What an agent tells a head that was restarted: who lives on its node, and who has ended meanwhile. */

import type { WireError } from '../errors.js';
import type { ActorId, JobId, ProcessId } from '../ids.js';
import type { ActorSpec } from './actor-spec.js';
import type { Address } from './address.js';
import type { JobEnd } from './job-spec.js';

/** An actor on a node, as its agent tells it to a head that was restarted. */
export interface LivingActor {
  readonly actor: ActorId;
  readonly label: string;
  /** Without `args`: the head knows them, or they are empty. */
  readonly spec: ActorSpec;
  readonly owner: ProcessId;
  /** Id of the owner's `actor.create`. */
  readonly request: number;
  readonly restarts: number;
  /** Taken, by uuid. */
  readonly gpus: readonly string[];
  /** Absent while it starts. */
  readonly address?: Address;
}

/** How an actor ended that had begun anew `restarts` times. */
export interface ActorExit {
  readonly actor: ActorId;
  readonly restarts: number;
  readonly cause: WireError;
}

/** A job on a node. */
export interface LivingJob {
  readonly job: JobId;
  /** Tells it from another one that had the id before. */
  readonly submittedAt: number;
  /** Processes that are known to work for it. */
  readonly members: readonly ProcessId[];
  readonly isStarted: boolean;
}

export interface JobExit {
  readonly job: JobId;
  readonly submittedAt: number;
  readonly end: JobEnd;
}
