/** One step of the brain: the state it may change, and what it wants to be sent. */

import { type RuntimeError, toWireError } from '../errors.js';
import type { ProcessId } from '../ids.js';
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
}

export const brainSettings: BrainSettings = {
  nodeTimeoutMs: 10_000,
  maxGraves: 1_000,
  maxJobs: 200,
};

export class Turn {
  readonly state: HeadState;
  readonly at: number;
  readonly settings: BrainSettings;
  readonly effects: Effect[] = [];
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
    this.send(from, { kind: 'error', id, error: toWireError(error) });
  }
}
