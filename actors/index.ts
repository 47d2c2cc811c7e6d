/** Reusable actors: versioned mailboxes, and patches of any grid. */

export { ActorsError, type ActorsErrorCode } from './errors.js';
export {
  type Bounds,
  neighboursOf,
  othersOf,
  type SplitOptions,
  splitRows,
} from './patch/geometry.js';
export {
  type Checkpoint,
  PatchActor,
  type PatchHandle,
  type PatchPeer,
  type PatchSettings,
  type StepReport,
} from './patch/patch-actor.js';
export { type AnyPatch, type RunOptions, runPatches } from './patch/run-patches.js';
export {
  type MailboxCounts,
  type MailboxOptions,
  type NotLaterOptions,
  type TakeOptions,
  VersionedMailbox,
} from './versioned-mailbox.js';
