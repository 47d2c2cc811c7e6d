/** Branded identifiers, so that an actor cannot be passed for a node. They are plain strings at run time. */

import { customAlphabet } from 'nanoid';

declare const tag: unique symbol;
type Id<Kind extends string> = string & { readonly [tag]: Kind };

/** One operating-system process of the cluster: head, agent, host or driver. */
export type ProcessId = Id<'process'>;
export type NodeId = Id<'node'>;
export type ActorId = Id<'actor'>;
export type GroupId = Id<'group'>;
/** Given by whoever submits the job, or made by the head. */
export type JobId = Id<'job'>;
/** Content hash of a bundled module. */
export type CodeId = Id<'code'>;

/** Letters and digits only: on a command line an id that began with a dash would be taken for an option. */
const newId = customAlphabet('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', 12);

export const newProcessId = (): ProcessId => newId() as ProcessId;
export const newNodeId = (): NodeId => newId() as NodeId;
export const newActorId = (): ActorId => newId() as ActorId;
export const newGroupId = (): GroupId => newId() as GroupId;
export const newJobId = (): JobId => `job-${newId()}` as JobId;
