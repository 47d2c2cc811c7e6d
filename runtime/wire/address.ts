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

/** Where the bytes of a large object lie: in the store of a node or of a driver. */
export class ObjectPlace {
  /** Its name in that store. */
  readonly key: string;
  readonly bytes: number;
  /** Name of the node, for error texts. */
  readonly node: string;
  readonly store: Address;
  /** The node, for placement; a driver is none. */
  readonly nodeId: NodeId | undefined;

  constructor(key: string, bytes: number, node: string, store: Address, nodeId?: NodeId) {
    this.key = key;
    this.bytes = bytes;
    this.node = node;
    this.store = store;
    this.nodeId = nodeId;
  }
}

/** Where the value of an object is to be had. */
export class ObjectLocator {
  readonly id: string;
  readonly owner: Address;
  /** Where it lies, if the owner has it in a store: whoever wants it need not ask the owner. */
  readonly place: ObjectPlace | undefined;

  constructor(id: string, owner: Address, place?: ObjectPlace) {
    this.id = id;
    this.owner = owner;
    this.place = place;
  }
}
