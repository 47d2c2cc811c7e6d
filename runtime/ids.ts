/** Branded identifiers, so that an actor cannot be passed for a node. They are plain strings at run time. */

import { nanoid } from 'nanoid';

declare const tag: unique symbol;
type Id<Kind extends string> = string & { readonly [tag]: Kind };

/** One operating-system process of the cluster: head, agent, host or driver. */
export type ProcessId = Id<'process'>;
export type NodeId = Id<'node'>;
export type ActorId = Id<'actor'>;
export type GroupId = Id<'group'>;
/** Content hash of a bundled module. */
export type CodeId = Id<'code'>;

export const newProcessId = (): ProcessId => nanoid(12) as ProcessId;
export const newNodeId = (): NodeId => nanoid(12) as NodeId;
export const newActorId = (): ActorId => nanoid(12) as ActorId;
export const newGroupId = (): GroupId => nanoid(12) as GroupId;
