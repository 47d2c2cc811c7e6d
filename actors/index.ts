/** Reusable actors: versioned mailboxes, and patches of any grid. */

export { ActorsError, type ActorsErrorCode } from './errors.js';
export {
  ActorGroup,
  type ActorGroupOptions,
  type GroupArgs,
  type GroupMethod,
  type GroupResult,
} from './group.js';
export { CollectiveActor } from './group-collective.js';
export type { CollectivePeer, GroupArray } from './group-membership.js';
export type { ReduceOp } from './group-reduce.js';
export {
  type Bounds,
  buddyOf,
  neighboursOf,
  othersOf,
  type SplitOptions,
  splitRows,
} from './patch/geometry.js';
export {
  type Checkpoint,
  type Lateness,
  PatchActor,
  type PatchHandle,
  type PatchPeer,
  type PatchSettings,
} from './patch/patch-actor.js';
export { type ReplaceablePatch, type Replacement, replacePatch } from './patch/replace-patch.js';
export { type AnyPatch, type RunOptions, runPatches } from './patch/run-patches.js';
export { joinReports, type StepReport } from './patch/step-report.js';
export { ActorPool, type PoolCall, type PoolOptions, type PoolSource } from './pool.js';
export {
  type MakeActor,
  Supervisor,
  type SupervisorEvents,
  type SupervisorOptions,
} from './supervisor.js';
export {
  type MailboxCounts,
  type MailboxOptions,
  type NotLaterOptions,
  type TakeOptions,
  VersionedMailbox,
} from './versioned-mailbox.js';
