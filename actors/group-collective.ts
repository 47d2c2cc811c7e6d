/**
 * An actor that computes together with others of its group, each under its rank. All ranks call the same collectives in
 * the same order. What they send each other goes past the queue of calls, so a method may wait for it while it runs.
 */

import { type ActorHandle, context } from '../runtime/index.js';
import { ActorsError } from './errors.js';
import {
  type CollectivePeer,
  type GroupArray,
  Membership,
  type Parcel,
} from './group-membership.js';
import { type ReduceOp, reduce, sharesOf } from './group-reduce.js';

const nothing = new Uint8Array(0);

export abstract class CollectiveActor implements CollectivePeer {
  #membership: Membership | undefined;

  /** @throws ActorsError `E_GROUP_STATE` before `link()`. */
  protected get rank(): number {
    return this.#linked.rank;
  }

  /** @throws ActorsError `E_GROUP_STATE` before `link()`. */
  protected get groupSize(): number {
    return this.#linked.peers.length;
  }

  /** Make the group known; `ActorGroup.link` does so for all. */
  link(epoch: string, rank: number, peers: readonly ActorHandle<CollectivePeer>[]): void {
    this.#membership = new Membership(epoch, rank, peers);
  }

  async deliver(epoch: string, slot: string, version: number, parcel: Parcel): Promise<void> {
    if (this.#membership?.epoch === epoch) await this.#membership.put(slot, version, parcel);
  }

  received(epoch: string, slot: string, count: number): void {
    if (this.#membership?.epoch === epoch) this.#membership.taken(slot, count);
  }

  /** Resolves when every rank has called it. */
  protected barrier(): Promise<void> {
    const group = this.#linked;
    const { signal } = context();
    return group.inTurn('barrier', async () => {
      await group.round('barrier', () => nothing, signal);
    });
  }

  /**
   * One result from the arrays of all ranks, element by element; the same bits on every rank and every time. Each rank
   * sends about twice the array, whatever the size of the group.
   *
   * @param values Of equal length on all ranks; left as they are.
   * @throws ActorsError `E_SHAPE`, `E_GROUP_STATE`, `E_ABORTED`.
   */
  protected allReduce(values: Float32Array, op: ReduceOp = 'sum'): Promise<Float32Array> {
    const group = this.#linked;
    const { signal } = context();
    const what = `allReduce ${op} of ${values.length}`;
    return group.inTurn(what, async () => {
      // Every rank reduces a share of the elements, and then all collect the shares.
      const shares = sharesOf(values.length, group.peers.length);
      const share = (rank: number): GroupArray => values.subarray(shares[rank]!, shares[rank + 1]!);
      const parts = await group.round(what, share, signal);
      const own = reduce(parts as readonly Float32Array[], op);
      const reduced = await group.round(what, () => own, signal);
      const result = new Float32Array(values.length);
      for (const [rank, part] of reduced.entries()) result.set(part as Float32Array, shares[rank]);
      return result;
    });
  }

  /**
   * The arrays of all ranks, in rank order; the own one is not copied. Lengths may differ, types may not.
   *
   * @throws ActorsError `E_SHAPE`, `E_GROUP_STATE`, `E_ABORTED`.
   */
  protected allGather<A extends GroupArray>(values: A): Promise<readonly A[]> {
    const group = this.#linked;
    const { signal } = context();
    const what = `allGather of ${values.constructor.name}`;
    return group.inTurn(
      what,
      async () => (await group.round(what, () => values, signal)) as readonly A[],
    );
  }

  /**
   * To one other rank, which asks for it by `receive` with the same tag. Resolves when it is on its way: at once, unless
   * eight of this tag are unread.
   *
   * @throws ActorsError `E_GROUP_STATE`, `E_ABORTED`.
   */
  protected async send(to: number, values: GroupArray, tag = ''): Promise<void> {
    await this.#linked.send(to, tag, values, context().signal);
  }

  /**
   * The next array that rank `from` has sent with this tag, in the order of sending.
   *
   * @throws ActorsError `E_GROUP_STATE`, `E_ABORTED`.
   */
  protected async receive(from: number, tag = ''): Promise<GroupArray> {
    return this.#linked.receive(from, tag, context().signal);
  }

  get #linked(): Membership {
    if (this.#membership) return this.#membership;
    throw new ActorsError('E_GROUP_STATE', 'this actor is in no group yet: link() the group first');
  }
}
