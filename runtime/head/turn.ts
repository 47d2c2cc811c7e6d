/** One step of the brain: the state it may change, and what it wants to be sent. */

import { type RuntimeError, toWireError, type WireError } from '../errors.js';
import type { ActorId, GroupId, JobId, NodeId, ProcessId } from '../ids.js';
import type { Message } from '../wire/messages.js';
import type { HeadState, Request } from './state.js';

export interface Effect {
  readonly to: ProcessId;
  readonly send: Message;
}

export interface BrainSettings {
  /** A node whose beats stay away for this long is dead. */
  readonly nodeTimeoutMs: number;
  /** Dead actors remembered, so that late callers hear why. */
  readonly maxGraves: number;
  /** Jobs remembered that have ended. */
  readonly maxJobs: number;
  /** After a restart of the head: a node that is not back within this is lost. */
  readonly rejoinTimeoutMs: number;
  /** After a restart of the head: an owner that is not back within this has left. */
  readonly ownerGraceMs: number;
}

/** Records that were made, changed or removed. */
export interface Touched {
  readonly nodes: ReadonlySet<NodeId>;
  readonly actors: ReadonlySet<ActorId>;
  readonly groups: ReadonlySet<GroupId>;
  readonly jobs: ReadonlySet<JobId>;
  /** Actors whose snapshots are others. */
  readonly snapshots: ReadonlySet<ActorId>;
}

/** What a step of the brain comes to. */
export interface Step {
  readonly effects: readonly Effect[];
  /** To be kept before the effects are carried out. */
  readonly touched: Touched;
}

export const brainSettings: BrainSettings = {
  nodeTimeoutMs: 10_000,
  maxGraves: 1_000,
  maxJobs: 200,
  rejoinTimeoutMs: 60_000,
  ownerGraceMs: 10_000,
};

type Writable<Ids> = Ids extends ReadonlySet<infer Id> ? Set<Id> : never;

export class Turn {
  readonly state: HeadState;
  readonly at: number;
  readonly settings: BrainSettings;
  readonly effects: Effect[] = [];
  /** Whoever changes what a restart must find again adds the record here. */
  readonly touched: { readonly [Kind in keyof Touched]: Writable<Touched[Kind]> } = {
    nodes: new Set(),
    actors: new Set(),
    groups: new Set(),
    jobs: new Set(),
    snapshots: new Set(),
  };
  /** Resources or wishes have changed: look whether something that waits can go on. */
  hasChanged = false;

  constructor(state: HeadState, at: number, settings: BrainSettings) {
    this.state = state;
    this.at = at;
    this.settings = settings;
  }

  send(to: ProcessId, send: Message): void {
    this.effects.push({ to, send });
  }

  reply({ from, id }: Request, value: unknown): void {
    this.send(from, { kind: 'reply', id, value });
  }

  fail({ from, id }: Request, error: RuntimeError): void {
    this.refuse({ from, id }, toWireError(error));
  }

  refuse({ from, id }: Request, error: WireError): void {
    this.send(from, { kind: 'error', id, error });
  }
}
