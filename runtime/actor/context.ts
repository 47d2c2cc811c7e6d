/** What an actor may know of itself while one of its methods runs. */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { ClusterClient } from '../client/cluster-client.js';
import type { Remote } from '../client/remote.js';
import { RuntimeError } from '../errors.js';
import type { NodeId } from '../ids.js';
import type { Resources } from '../resources.js';
import type { ActorRef } from '../wire/address.js';

export interface ActorIdentity {
  /** This actor, to be passed on as a handle to others. */
  readonly self: ActorRef;
  readonly node: { readonly id: NodeId; readonly name: string };
  /** What the actor was given for life. */
  readonly resources: Resources;
}

/** What an actor or task may tell of itself. */
export interface ActorTelling {
  /**
   * A part of the running call, for `patchbay timeline`: it began at `start` and ends now. It costs about a microsecond.
   *
   * @param start By `performance.now()`.
   * @param name One of a few: those beyond 500 of a host are told apart no longer.
   */
  span(name: string, start: number): void;

  /**
   * What this actor says of itself in `patchbay status` and in lists of actors, until it says something else; up to 200
   * characters. Tasks say nothing.
   */
  note(text: string): void;
}

/** What an actor or task may ask of the cluster. */
export interface ActorAccess {
  /** Create actors, reserve resources and so on; what is created ends with this actor. */
  readonly cluster: ClusterClient;
  /** The typed twin of the very module this code comes from: `context().module<typeof import('./tasks.js')>()`. */
  module<Module>(): Remote<Module>;
  /**
   * Ends this actor for good once the calls that run have been answered; calls that wait, and later ones, hear
   * `E_ACTOR_DEAD`. The dispose hook runs.
   *
   * @throws RuntimeError `E_CLOSED` in a task.
   */
  exit(): void;
}

/** What stays the same from call to call. */
export interface ActorSurroundings extends ActorIdentity, ActorAccess, ActorTelling {}

export interface ActorContext extends ActorSurroundings {
  /** Aborted when the caller aborts, disconnects, or the actor is stopped. */
  readonly signal: AbortSignal;
}

const storage = new AsyncLocalStorage<ActorContext>();

/** @throws RuntimeError `E_CLOSED` outside of an actor's methods and constructor. */
export function context(): ActorContext {
  const current = storage.getStore();
  if (!current) throw new RuntimeError('E_CLOSED', 'context() is known only inside an actor');
  return current;
}

/** Of the call that the running code is part of; undefined outside of an actor. */
export const callSignal = (): AbortSignal | undefined => storage.getStore()?.signal;

export const runInContext = <Result>(current: ActorContext, body: () => Result): Result =>
  storage.run(current, body);
