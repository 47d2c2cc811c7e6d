/** Actors of one class, created together on reserved resources and known by rank. */

import { nanoid } from 'nanoid';
import type {
  ActorHandle,
  ClusterClient,
  GroupStrategy,
  PlacementGroup,
  RemoteClass,
  RemoteMethods,
  Resources,
} from '../runtime/index.js';
import { ActorsError } from './errors.js';
import type { CollectiveActor } from './group-collective.js';
import type { CollectivePeer } from './group-membership.js';

export interface ActorGroupOptions<Args extends readonly unknown[]> {
  /** Number of actors. */
  readonly size: number;
  /** Of each actor, for its whole life. @default { cpu: 1 } */
  readonly resources?: Resources;
  /** How the actors are laid over the nodes. @default 'pack' */
  readonly strategy?: GroupStrategy;
  /** Constructor arguments of a rank. @default none */
  readonly argsOf?: (rank: number) => Args;
  /** Stop waiting for a place. */
  readonly signal?: AbortSignal;
}

/** Methods that are called, not streamed. */
export type GroupMethod<T> = keyof RemoteMethods<T> & string;
export type GroupArgs<T, Method extends GroupMethod<T>> = RemoteMethods<T>[Method] extends (
  ...args: infer Args
) => unknown
  ? Args
  : never;
export type GroupResult<T, Method extends GroupMethod<T>> = RemoteMethods<T>[Method] extends (
  ...args: never[]
) => Promise<infer Result>
  ? Result
  : never;

export class ActorGroup<T> implements AsyncDisposable {
  /** In rank order. */
  readonly actors: readonly ActorHandle<T>[];
  readonly #placement: PlacementGroup;

  private constructor(actors: readonly ActorHandle<T>[], placement: PlacementGroup) {
    this.actors = actors;
    this.#placement = placement;
  }

  /**
   * All actors, or none: what was made is ended if one fails.
   *
   * @throws RuntimeError `E_NO_ROOM` at once if the cluster can never hold them, `E_ACTOR_START`, `E_ABORTED`.
   * @throws ActorsError `E_OPTION`.
   */
  static async create<T, Args extends readonly unknown[]>(
    cluster: ClusterClient,
    Class: RemoteClass<T, Args>,
    options: ActorGroupOptions<Args>,
  ): Promise<ActorGroup<T>> {
    const { size, resources = { cpu: 1 }, strategy, argsOf, signal } = options;
    if (!(Number.isInteger(size) && size >= 1)) {
      throw new ActorsError('E_OPTION', `size ${size} must be a whole number from 1`);
    }
    const ranks = [...Array(size).keys()];
    const placement = await cluster.group(
      ranks.map(() => resources),
      { ...(strategy ? { strategy } : {}), ...(signal ? { signal } : {}) },
    );
    try {
      const actors = await Promise.all(
        ranks.map((rank) =>
          Class.create({
            resources,
            bundle: { group: placement, index: rank },
            ...(argsOf ? { args: argsOf(rank) } : {}),
            ...(signal ? { signal } : {}),
          }),
        ),
      );
      return new ActorGroup(actors, placement);
    } catch (error) {
      await placement.remove();
      throw error;
    }
  }

  get size(): number {
    return this.actors.length;
  }

  /**
   * Make the ranks known to each other, before the first collective and after one that failed. No method may run
   * meanwhile.
   */
  async link(this: ActorGroup<T & CollectiveActor>): Promise<void> {
    const epoch = nanoid(6);
    const peers = this.actors as unknown as readonly ActorHandle<CollectivePeer>[];
    const members = this.actors as unknown as readonly ActorHandle<CollectiveActor>[];
    await Promise.all(members.map((actor, rank) => actor.link(epoch, rank, peers)));
  }

  /**
   * Call a method on all actors and wait for all.
   *
   * @throws The first error of any; the others are aborted, since they may wait for the one that failed.
   */
  async broadcast<Method extends GroupMethod<T>>(
    method: Method,
    ...args: GroupArgs<T, Method>
  ): Promise<void> {
    await this.#all(method, () => args);
  }

  /** As `broadcast`, with the results in rank order. */
  gather<Method extends GroupMethod<T>>(
    method: Method,
    ...args: GroupArgs<T, Method>
  ): Promise<GroupResult<T, Method>[]> {
    return this.#all(method, () => args);
  }

  /** As `gather`, with arguments of each rank's own. */
  scatter<Method extends GroupMethod<T>>(
    method: Method,
    argsOf: (rank: number) => readonly [...GroupArgs<T, Method>],
  ): Promise<GroupResult<T, Method>[]> {
    return this.#all(method, argsOf);
  }

  /** Ends the actors and gives their resources back. */
  async close(): Promise<void> {
    await this.#placement.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #all<Method extends GroupMethod<T>>(
    method: Method,
    argsOf: (rank: number) => readonly [...GroupArgs<T, Method>],
  ): Promise<GroupResult<T, Method>[]> {
    const stop = new AbortController();
    const calls = this.actors.map((actor, rank) => {
      const methods = actor.with({ signal: stop.signal }) as unknown as Record<string, Call>;
      return methods[method]!(...argsOf(rank));
    });
    try {
      return (await Promise.all(calls)) as GroupResult<T, Method>[];
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(calls);
      throw error;
    }
  }
}

type Call = (...args: readonly unknown[]) => Promise<unknown>;
