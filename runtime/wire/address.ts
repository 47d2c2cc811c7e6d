/** Where a process can be reached, and the reference by which an actor is known on the wire. */

import type { ActorId, NodeId, ProcessId } from '../ids.js';

export interface Address {
  readonly process: ProcessId;
  /** Machine on which `unix` means anything. */
  readonly machine: string;
  /** Path of a Unix socket; taken by callers on the same machine. */
  readonly unix: string;
  /** `ws://host:port` for callers elsewhere. */
  readonly url: string;
}

/** Everything a caller needs to reach an actor without asking the head. */
export class ActorRef {
  readonly actor: ActorId;
  readonly node: NodeId;
  /** Class and name, for error texts: `Counter`, `Counter "c"`. */
  readonly label: string;
  readonly address: Address;
  /** How often a call is tried again if the actor is restarted under it; -1 for ever, 0 runs it at most once. */
  readonly taskRetries: number;

  constructor(actor: ActorId, node: NodeId, label: string, address: Address, taskRetries = 0) {
    this.actor = actor;
    this.node = node;
    this.label = label;
    this.address = address;
    this.taskRetries = taskRetries;
  }
}

/** Where the value of an object is to be had. */
export class ObjectLocator {
  readonly id: string;
  readonly owner: Address;

  constructor(id: string, owner: Address) {
    this.id = id;
    this.owner = owner;
  }
}
