/** What is asked for when an actor, or a placement group, is created. */

import type { CodeId, GroupId, NodeId } from '../ids.js';
import type { LabelSelector } from '../labels.js';
import type { Quantities } from '../resources.js';

/** Where names are given and looked up unless another is named. */
export const defaultNamespace = 'default';

/** What a process that runs a module's functions as tasks is called. */
export const taskWorkerLabel = 'task worker';

/** What the head must know to place and start an actor. */
export interface ActorSpec {
  readonly code: CodeId;
  /** Name of the exported class; empty for a worker that runs the module's functions as tasks. */
  readonly exportName: string;
  /** Constructor arguments, encoded: the head never looks inside. */
  readonly args: Uint8Array;
  readonly resources: Quantities;
  /** Unique among the living of its namespace; other processes find the actor by it. */
  readonly name?: string;
  /** Of the actor's name, and of the names that the actor itself gives and looks up. @default 'default' */
  readonly namespace?: string;
  /** Place in a bundle of a placement group. */
  readonly bundle?: { readonly group: GroupId; readonly index: number };
  /** Which of the nodes that have room. @default 'spread' */
  readonly schedulingStrategy?: SchedulingStrategy;
  /** On this node now, or refused at once: whoever asks will ask again without it. */
  readonly near?: NodeId;
  /** Only nodes with such labels. */
  readonly labelSelector?: LabelSelector;
  /** Run the actor's code on a thread of its own, beside the host's links. @default what the class says */
  readonly thread?: boolean;
  /** Calls that may run at once. @default what the class says, or 1 */
  readonly maxConcurrency?: number;
  /** Calls that may wait; more are refused with `E_MAILBOX_FULL`. @default unlimited */
  readonly maxPending?: number;
  /** How often the actor begins anew when its process or node dies; -1 for ever. @default 0 */
  readonly maxRestarts?: number;
  /** How often a call is tried again when the actor is restarted under it; -1 for ever. @default 0 */
  readonly maxTaskRetries?: number;
  /** It outlives its owner. */
  readonly detached?: boolean;
  /** A task worker whose process may serve the next one of the same module. */
  readonly reusable?: boolean;
  /** If an actor of that name lives already, take it. */
  readonly getIfExists?: boolean;
}

/**
 * `spread` takes the least used node, `pack` the fullest that has room. A node, by id or name, is insisted on, or preferred if
 * `soft`.
 */
export type SchedulingStrategy =
  | 'spread'
  | 'pack'
  | { readonly node: string; readonly soft?: boolean };

export const strategies = ['pack', 'spread', 'strict-pack', 'strict-spread'] as const;
export type GroupStrategy = (typeof strategies)[number];
