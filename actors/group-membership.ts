/** What one rank knows of its group, and how arrays travel between ranks: by latest-wins messages into versioned slots. */

import type { ActorHandle } from '../runtime/index.js';
import { ActorsError } from './errors.js';
import { VersionedMailbox } from './versioned-mailbox.js';

/** Any typed array that may cross the wire. */
export type GroupArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** What one rank sends another. */
export interface Parcel {
  /** What the sender is doing: a receiver that is doing something else says so instead of computing nonsense. */
  readonly what: string;
  readonly data: GroupArray;
}

/** What the others of the group call, on the latest-wins lane. */
export interface CollectivePeer {
  /** Resolves when the parcel was taken. */
  deliver(epoch: string, slot: string, version: number, parcel: Parcel): Promise<void>;
  /** So many messages of this slot have been received. */
  received(epoch: string, slot: string, count: number): void;
}

/** Messages sent to one receiver under one tag, as far as it has taken them. */
interface Window {
  taken: number;
  wake: () => void;
}

/** Unread messages of one `send` tag that may be under way; a sender waits beyond. */
const sendWindow = 8;
/**
 * More than can be under way, so that the lane never replaces one. Nobody is two rounds ahead of another: it would have
 * got an array that the other has not sent yet. Credits may be a little behind what was taken.
 */
const roundCredits = 4;
const sendCredits = 2 * sendWindow;

export class Membership {
  /** Tells one linking from the next: what comes from an earlier one is ignored. */
  readonly epoch: string;
  readonly rank: number;
  readonly peers: readonly ActorHandle<CollectivePeer>[];
  readonly #mailbox = new VersionedMailbox<Parcel>({ keep: sendCredits });
  /** Next version, by slot. */
  readonly #versions = new Map<string, number>();
  readonly #windows = new Map<string, Window>();
  #last: Promise<unknown> = Promise.resolve();
  #failure: { readonly cause: unknown } | undefined;

  constructor(epoch: string, rank: number, peers: readonly ActorHandle<CollectivePeer>[]) {
    this.epoch = epoch;
    this.rank = rank;
    this.peers = peers;
  }

  put(slot: string, version: number, parcel: Parcel): Promise<void> {
    return this.#mailbox.put(slot, version, parcel);
  }

  taken(slot: string, count: number): void {
    const window = this.#window(slot);
    window.taken = count;
    window.wake();
  }

  /** One after the other, in the order of the calls: rounds of two collectives must not mix. */
  inTurn<Result>(what: string, body: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(() => this.#guarded(what, body));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /**
   * Hand every rank its array and take one of each; in rank order, the own one included.
   *
   * @throws ActorsError `E_GROUP_STATE` or `E_SHAPE` if another rank is doing something else.
   */
  async round(
    what: string,
    dataFor: (to: number) => GroupArray,
    signal: AbortSignal,
  ): Promise<readonly GroupArray[]> {
    const { epoch, rank, peers } = this;
    const version = this.#next('round');
    for (const [to, peer] of peers.entries()) {
      if (to === rank) continue;
      const lane = peer.latest(`${epoch}/round ${rank}`, { credits: roundCredits });
      lane.deliver(epoch, `round ${rank}`, version, { what, data: dataFor(to) });
    }
    const all: GroupArray[] = [];
    for (const from of peers.keys()) {
      if (from === rank) {
        all.push(dataFor(rank));
      } else {
        const parcel = await this.#mailbox.take(`round ${from}`, version, { signal });
        if (parcel.what !== what) throw differs(from, parcel.what, rank, what);
        all.push(parcel.data);
      }
    }
    return all;
  }

  send(to: number, tag: string, data: GroupArray, signal: AbortSignal): Promise<void> {
    const { epoch, rank } = this;
    const peer = this.#other(to);
    const slot = `send ${tag}/${rank}`;
    const version = this.#next(`${slot} to ${to}`);
    return this.#guarded('send', async () => {
      const window = this.#window(`${slot} to ${to}`);
      while (version - window.taken >= sendWindow) await woken(window, signal);
      const lane = peer.latest(`${epoch}/${slot}`, { credits: sendCredits });
      lane.deliver(epoch, slot, version, { what: 'send', data });
    });
  }

  receive(from: number, tag: string, signal: AbortSignal): Promise<GroupArray> {
    const { epoch, rank } = this;
    const peer = this.#other(from);
    const slot = `send ${tag}/${from}`;
    const version = this.#next(slot);
    return this.#guarded('receive', async () => {
      const { data } = await this.#mailbox.take(slot, version, { signal });
      // Counts add up, so only the newest matters.
      peer.latest(`${epoch}/taken ${slot}`).received(epoch, `${slot} to ${rank}`, version + 1);
      return data;
    });
  }

  /** After a failure ranks would answer each other's earlier questions: no more until they are linked anew. */
  async #guarded<Result>(what: string, body: () => Promise<Result>): Promise<Result> {
    if (this.#failure) {
      const text = `${what} after one that failed: link() the group again`;
      throw new ActorsError('E_GROUP_STATE', text, this.#failure);
    }
    try {
      return await body();
    } catch (cause) {
      this.#failure = { cause };
      throw cause;
    }
  }

  #other(rank: number): ActorHandle<CollectivePeer> {
    const peer = this.peers[rank];
    if (peer && rank !== this.rank) return peer;
    const text = `rank ${this.rank} of ${this.peers.length} cannot exchange arrays with rank ${rank}`;
    throw new ActorsError('E_GROUP_STATE', text);
  }

  #next(slot: string): number {
    const version = this.#versions.get(slot) ?? 0;
    this.#versions.set(slot, version + 1);
    return version;
  }

  #window(slot: string): Window {
    const known = this.#windows.get(slot) ?? { taken: 0, wake: () => undefined };
    this.#windows.set(slot, known);
    return known;
  }
}

function differs(from: number, theirs: string, rank: number, ours: string): ActorsError {
  const kind = (what: string): string => what.split(' ')[0]!;
  const code = kind(theirs) === kind(ours) ? 'E_SHAPE' : 'E_GROUP_STATE';
  return new ActorsError(code, `rank ${from} is in ${theirs} while rank ${rank} is in ${ours}`);
}

function woken(window: Window, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      const { reason: cause } = signal as { reason: unknown };
      reject(new ActorsError('E_ABORTED', 'stopped waiting to send', { cause }));
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const before = window.wake;
    window.wake = () => {
      before();
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
  });
}
