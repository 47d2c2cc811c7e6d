/** The objects of one process: its own, which it serves to others, and those it holds refs to. */

import { nanoid } from 'nanoid';
import { LinkLostError, RuntimeError, toWireError } from '../errors.js';
import type { ProcessId } from '../ids.js';
import { collectGarbage } from '../store/garbage.js';
import { type Address, ObjectLocator, ObjectPlace } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import type { Exportable, Revive } from '../wire/value.js';
import { ObjectRef, type ObjectRefOptions } from './object-ref.js';
import { ObjectTable } from './object-table.js';
import { type HomeStore, SharedValues, type StoredValue } from './shared-values.js';
import { isLarge } from './stored-value.js';

/** Leases are renewed three times as often as they run out. */
const renewMs = 20_000;

export interface ObjectsOptions {
  readonly endpoint: Endpoint;
  /** The store that this process writes large values to. @default none: they stay in its heap */
  readonly home?: () => HomeStore | undefined;
  /** What stands for references inside stored values. */
  readonly revive: Revive;
  /** Told when somebody begins to wait for a value; the returned function says that he waits no more. */
  readonly waits?: () => () => void;
  /** Looks for garbage on threads of this process. */
  readonly alsoCollect?: () => Promise<void> | undefined;
}

/** Stored objects of this process, which it wants its stores to keep. */
interface Owned {
  readonly address: Address;
  readonly keys: Set<string>;
}

export class Objects {
  readonly shared: SharedValues;
  readonly #endpoint: Endpoint;
  readonly #waits: (() => () => void) | undefined;
  readonly #table = new ObjectTable();
  /** Refs to the objects of others, by owner. */
  readonly #borrowed = new Map<
    ProcessId,
    { address: Address; refs: Map<string, WeakRef<ObjectRef<unknown>>> }
  >();
  readonly #owned = new Map<ProcessId, Owned>();
  /** Refs of this process that nobody holds any more. */
  readonly #dropped = new FinalizationRegistry<ObjectPlace>((place) => this.#letGo(place));
  readonly #timer: NodeJS.Timeout;
  readonly #alsoCollect: ObjectsOptions['alsoCollect'];
  #isClosed = false;

  constructor(options: ObjectsOptions) {
    const { endpoint, home = () => undefined, revive, waits } = options;
    this.#endpoint = endpoint;
    this.#alsoCollect = options.alsoCollect;
    this.#waits = waits;
    this.shared = new SharedValues(endpoint, home, revive);
    this.#timer = setInterval(() => this.#renew(), renewMs);
    this.#timer.unref();
  }

  /** A value of this process. */
  own<T>(
    find: ObjectRefOptions<T>['find'],
    options: Pick<ObjectRefOptions<T>, 'cancel'> = {},
  ): ObjectRef<T> {
    const id = nanoid(12);
    const ref: ObjectRef<T> = new ObjectRef<T>({
      ...options,
      id,
      find,
      read: this.#read as ObjectRefOptions<T>['read'],
      isMapped: this.#isMapped,
      placed: this.#placed,
      waits: this.#waits,
      locate: (place) => {
        this.#table.keep(ref);
        return new ObjectLocator(id, this.#endpoint.address, place);
      },
    });
    return ref;
  }

  /** A value of the program's own: a large one goes into the store. */
  put<T>(value: T): ObjectRef<T> {
    if (!isLarge(value)) return this.own(() => Promise.resolve(value));
    // Refs inside, which their owner must keep as long as the bytes may be read.
    const inside: Exportable[] = [];
    const stored = this.#stored(value, inside);
    stored.catch(() => undefined);
    const ref = this.own<T>((lost) => (lost ? this.#lostFor(lost, inside) : stored));
    // From now on its store hears that it is wanted, also if nobody awaits it for long.
    ref.found().catch(() => undefined);
    return ref;
  }

  /** The result of a task, which shall outlive this process: its place in the node's store if it is large. */
  offload<T>(result: T): T | Promise<T | ObjectPlace> {
    return isLarge(result) ? this.#stored(result) : result;
  }

  /** What stands for an object that another process passed on. */
  borrow<T>(locator: ObjectLocator): ObjectRef<T> {
    const { id, owner } = locator;
    if (owner.process === this.#endpoint.process) return this.#home<T>(locator);
    const known = this.#borrowed.get(owner.process) ?? { address: owner, refs: new Map() };
    this.#borrowed.set(owner.process, known);
    // One that is here has its value already, or is about to.
    const living = known.refs.get(id)?.deref();
    if (living) return living as ObjectRef<T>;
    const ref = new ObjectRef<T>({
      id,
      find: (lost) =>
        locator.place && !lost
          ? Promise.resolve(locator.place)
          : this.#ask<T>(locator, lost?.key ?? ''),
      read: this.#read as ObjectRefOptions<T>['read'],
      isMapped: this.#isMapped,
      waits: this.#waits,
      locate: (place) => {
        this.#hold(owner, [id]);
        return new ObjectLocator(id, owner, place ?? locator.place);
      },
    });
    known.refs.set(id, new WeakRef<ObjectRef<unknown>>(ref));
    return ref;
  }

  /** Answers what others ask of this process's objects; false for other messages. */
  serve(peer: Peer, message: Message): boolean {
    switch (message.kind) {
      case 'object.get':
        void this.#answer(peer, message.id, message.object, message.lost);
        return true;
      case 'object.hold':
        this.#table.renew(message.objects);
        return true;
      case 'object.free':
        this.#freeOwn(message.object);
        return true;
      case 'store.collect':
        void this.#collect().then(() => {
          peer.send({ kind: 'reply', id: message.id, value: null });
        });
        return true;
      default:
        return false;
    }
  }

  /** Gives an object up: its owner forgets it, whoever asks later hears `E_OBJECT_LOST`. */
  free(ref: ObjectRef<unknown>): void {
    const { id, owner } = ref.locate();
    if (owner.process === this.#endpoint.process) this.#freeOwn(id);
    else this.#endpoint.to(owner).send({ kind: 'object.free', object: id });
  }

  /** Whether a stored object is where it shall be, as far as this process can tell. */
  async isThere({ key, store }: ObjectPlace): Promise<boolean> {
    try {
      const peer = this.#endpoint.to(store);
      await peer.request({ kind: 'store.pin', key, pid: 0 });
      peer.send({ kind: 'store.unpin', keys: [key] });
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const { address, keys } of this.#owned.values()) {
      if (keys.size > 0) this.#endpoint.to(address).send({ kind: 'store.free', keys: [...keys] });
    }
  }

  readonly #read = (place: ObjectPlace): Promise<unknown> => this.shared.read(place);

  readonly #isMapped = (value: unknown): boolean => this.shared.isMapped(value);

  readonly #placed = (ref: ObjectRef<unknown>, place: ObjectPlace): void => {
    const { store, key } = place;
    const owned = this.#owned.get(store.process) ?? { address: store, keys: new Set() };
    this.#owned.set(store.process, owned);
    owned.keys.add(key);
    this.#dropped.register(ref, place);
  };

  /** Where a value lies now, or the value itself where it cannot be stored. */
  async #stored<T>(value: T, inside?: Exportable[]): Promise<T | ObjectPlace> {
    let stored: StoredValue | undefined;
    try {
      stored = await this.shared.store(value, inside !== undefined);
    } catch (error) {
      // What cannot be encoded is of use in this process all the same.
      if (!(error instanceof RuntimeError && error.code === 'E_ENCODE')) throw error;
    }
    if (!stored) return value;
    inside?.push(...stored.exported);
    return stored.place;
  }

  async #lostFor(place: ObjectPlace, inside: readonly Exportable[]): Promise<never> {
    const { key, node } = place;
    const state = (await this.isThere(place)) ? 'cannot be reached' : 'is gone, or has lost it';
    const refs = inside.length > 0 ? `, with ${inside.length} refs inside` : '';
    throw new RuntimeError(
      'E_OBJECT_LOST',
      `object ${key}${refs} was put into the store of ${node}, which ${state}; what was put cannot be made again: put it anew`,
    );
  }

  #freeOwn(id: string): void {
    const ref = this.#table.peek(id);
    this.#table.free(id);
    if (!ref) return;
    const drop = (found: unknown): void => {
      if (!(found instanceof ObjectPlace)) return;
      this.#letGo(found);
      ref.drop();
    };
    // What is still being made or written goes when it is there.
    if (ref.isSettled) drop(ref.place);
    else ref.found().then(drop, () => undefined);
  }

  async #collect(): Promise<void> {
    await collectGarbage();
    const others = this.#alsoCollect?.();
    if (!others) return;
    await others;
    // What a thread has let go of, this one held for it.
    await collectGarbage();
  }

  /** The store may use its memory again, once nobody has it mapped. */
  #letGo({ store, key }: ObjectPlace): void {
    if (this.#isClosed || !this.#owned.get(store.process)?.keys.delete(key)) return;
    this.#endpoint.to(store).send({ kind: 'store.free', keys: [key] });
  }

  #home<T>(locator: ObjectLocator): ObjectRef<T> {
    try {
      return this.#table.find(locator.id) as ObjectRef<T>;
    } catch (error) {
      return this.own<T>(() => Promise.reject(error as Error));
    }
  }

  async #ask<T>({ id, owner }: ObjectLocator, lost: string): Promise<T | ObjectPlace> {
    try {
      return await this.#endpoint.to(owner).request<T>({ kind: 'object.get', object: id, lost });
    } catch (error) {
      if (!(error instanceof LinkLostError)) throw error;
      const text = `object ${id}: its owner, process ${owner.process}, is gone`;
      throw new RuntimeError('E_OBJECT_LOST', text, { cause: error });
    }
  }

  async #answer(peer: Peer, id: number, object: string, lost: string): Promise<void> {
    try {
      const ref = this.#table.find(object);
      const value = await (lost === '' ? ref.found() : ref.foundAfter(lost));
      peer.send({ kind: 'reply', id, value });
    } catch (error) {
      peer.send({ kind: 'error', id, error: toWireError(error) });
    }
  }

  #hold(owner: Address, objects: readonly string[]): void {
    this.#endpoint.to(owner).send({ kind: 'object.hold', objects }, 'control');
  }

  #renew(): void {
    this.#table.sweep();
    for (const [process, { address, refs }] of this.#borrowed) {
      for (const [id, ref] of refs) if (!ref.deref()) refs.delete(id);
      if (refs.size > 0) this.#hold(address, [...refs.keys()]);
      else this.#borrowed.delete(process);
    }
    for (const [process, { address, keys }] of this.#owned) {
      if (keys.size > 0) this.#endpoint.to(address).send({ kind: 'store.hold', keys: [...keys] });
      else this.#owned.delete(process);
    }
  }
}
