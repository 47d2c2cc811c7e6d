/**
 * Calls that an actor on a thread makes to other actors: to the thread, the host is an actor with one method for each
 * way of calling. Both halves are here.
 */

import { RuntimeError } from '../errors.js';
import type { ActorId, ProcessId } from '../ids.js';
import { MappedViews, type Pinned } from '../object/mapped-views.js';
import { ObjectRef } from '../object/object-ref.js';
import type { Objects } from '../object/objects.js';
import { readValue } from '../object/stored-value.js';
import type { HostWatch } from '../observe/host-watch.js';
import type { PartSpan } from '../observe/part-spans.js';
import { ActorRef, ObjectLocator, ObjectPlace } from '../wire/address.js';
import { encodeFrame } from '../wire/frame.js';
import type { Peer } from '../wire/peer.js';
import type { Revive } from '../wire/value.js';
import type { Invoke } from './executor.js';
import type { Outbound } from './handle.js';

const relay = '' as ActorId;

/** On the thread. */
export class RelayOutbound implements Outbound {
  readonly #host: Peer;
  readonly #process: ProcessId;
  readonly #revive: Revive;
  readonly #views = new MappedViews((pinned) => this.#tell('unpin', pinned));
  readonly #mapped = new WeakSet<object>();
  readonly #refs = new Map<string, WeakRef<ObjectRef<unknown>>>();
  readonly #gone = new FinalizationRegistry<string>((id) => {
    if (this.#refs.get(id)?.deref()) return;
    this.#refs.delete(id);
    this.#later('letGo', id);
  });

  /**
   * @param process The host's: credits of the latest-wins lane go back to it.
   * @param revive What stands for references inside stored values.
   */
  constructor(host: Peer, process: ProcessId, revive: Revive) {
    this.#host = host;
    this.#process = process;
    this.#revive = revive;
  }

  call(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.#host.request(
      { kind: 'call', actor: relay, method: 'call', args: [ref, method, args], stream: false },
      signal ? { signal } : {},
    );
  }

  stream(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): AsyncGenerator<unknown> {
    return this.#host.stream(
      { kind: 'call', actor: relay, method: 'stream', args: [ref, method, args], stream: true },
      signal ? { signal } : {},
    );
  }

  tell(ref: ActorRef, method: string, args: readonly unknown[]): void {
    this.#host.tell({ kind: 'tell', actor: relay, method: 'tell', args: [ref, method, args] });
  }

  latest(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    slot: string,
    credits: number,
  ): void {
    const { actor, address: to } = ref;
    const sender = this.#process;
    // Encoded for its last reader; the host passes the frame on as it is.
    const message = { kind: 'latest', sender, to, actor, slot, credits, method, args } as const;
    this.#host.forward(encodeFrame([message]), 'latest');
  }

  async kill(ref: ActorRef): Promise<void> {
    await this.#ask('kill', ref);
  }

  parts(spans: readonly PartSpan[]): void {
    this.#tell('parts', spans);
  }

  note(text: string): void {
    this.#tell('note', text);
  }

  /** What stands on the thread for an object that another process passed on. */
  borrow(locator: ObjectLocator): ObjectRef<unknown> {
    const { id } = locator;
    const living = this.#refs.get(id)?.deref();
    if (living) return living;
    const ref = new ObjectRef<unknown>({
      id,
      locate: (place) => new ObjectLocator(id, locator.owner, place ?? locator.place),
      find: (lost) => this.#ask('object', locator, lost?.key ?? ''),
      read: (place) => this.#read(place),
      isMapped: (value) => typeof value === 'object' && value !== null && this.#mapped.has(value),
    });
    this.#refs.set(id, new WeakRef(ref));
    this.#gone.register(ref, id);
    this.#later('hold', locator);
    return ref;
  }

  async #read(place: ObjectPlace): Promise<unknown> {
    const pinned = await this.#ask<Pinned | null>('pin', place);
    const buffer = pinned && this.#views.open(pinned);
    if (!buffer) {
      if (pinned) this.#tell('unpin', pinned);
      return this.#ask('read', place);
    }
    const value = readValue(buffer, this.#revive);
    if (typeof value === 'object' && value !== null) this.#mapped.add(value);
    return value;
  }

  #ask<Value>(method: string, ...args: readonly unknown[]): Promise<Value> {
    return this.#host.request({ kind: 'call', actor: relay, method, args, stream: false });
  }

  /** Encoded when what is being decoded now is done. */
  #later(method: string, ...args: readonly unknown[]): void {
    this.#host.send({ kind: 'tell', actor: relay, method, args });
  }

  #tell(method: string, ...args: readonly unknown[]): void {
    this.#host.tell({ kind: 'tell', actor: relay, method, args });
  }
}

/** Where the host passes on what an actor tells of itself. */
export interface ActorNews {
  readonly watch: HostWatch;
  readonly note: (text: string) => void;
}

/** On the host: what the thread asked for, done over the host's links. */
export const relayInvoke = (outbound: Outbound, objects: Objects, news: ActorNews): Invoke => {
  /** What the thread holds refs to: the host shows interest for it. */
  const held = new Map<string, ObjectRef<unknown>>();
  return (how, [ref, method, args], { signal }) => {
    if (how === 'parts') return news.watch.parts(ref as readonly PartSpan[]);
    if (how === 'note') return news.note(ref as string);
    if (how === 'letGo') return void held.delete(ref as string);
    if (how === 'hold' && ref instanceof ObjectLocator) {
      return void held.set(ref.id, objects.borrow(ref));
    }
    if (ref instanceof ObjectLocator) return findFor(objects, ref, method as string);
    if (ref instanceof ObjectPlace) return placeFor(objects, how, ref);
    if (how === 'unpin') return objects.shared.unpin(ref as Pinned);
    if (!(ref instanceof ActorRef)) throw new RuntimeError('E_PROTOCOL', 'a relay to nobody');
    const name = method as string;
    const values = args as readonly unknown[];
    switch (how) {
      case 'call':
        return outbound.call(ref, name, values, signal);
      case 'stream':
        return outbound.stream(ref, name, values, signal);
      case 'tell':
        return outbound.tell(ref, name, values);
      case 'kill':
        return outbound.kill(ref);
      default:
        throw new RuntimeError('E_METHOD', `the relay has no method ${how}`);
    }
  };
};

const findFor = (objects: Objects, locator: ObjectLocator, lost: string): Promise<unknown> => {
  const ref = objects.borrow(locator);
  return lost === '' ? ref.found() : ref.foundAfter(lost);
};

const placeFor = async (objects: Objects, how: string, place: ObjectPlace): Promise<unknown> =>
  how === 'pin' ? ((await objects.shared.pin(place)) ?? null) : objects.shared.read(place);
