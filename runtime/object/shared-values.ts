/** Large values of this process on their way into stores and out of them. */

import { nanoid } from 'nanoid';
import { RuntimeError } from '../errors.js';
import type { NodeId } from '../ids.js';
import { lost, pull } from '../store/pull.js';
import { type Address, ObjectPlace } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { MemoryRange } from '../wire/messages.js';
import { type Exportable, type PackedValue, packValue, type Revive } from '../wire/value.js';
import { MappedViews, type Pinned } from './mapped-views.js';
import { layoutOf, readValue, writeValue } from './stored-value.js';

/** The store that this process writes to. */
export interface HomeStore {
  readonly address: Address;
  /** Name of its node, for error texts. */
  readonly node: string;
  /** Absent if it is a driver's. */
  readonly nodeId?: NodeId;
}

export interface StoredValue {
  readonly place: ObjectPlace;
  /** Refs inside: their owner must keep them as long as this may be read. */
  readonly exported: readonly Exportable[];
}

/** Classes of arrays that can be allocated in shared memory. */
export interface ArrayClass<A> {
  new (buffer: ArrayBuffer, offset: number, length: number): A;
  new (length: number): A;
  readonly BYTES_PER_ELEMENT: number;
}

/** Room for the header before an array that is allocated: a value that needs more is copied. */
const headerRoom = 4096;

export class SharedValues {
  readonly #endpoint: Endpoint;
  readonly #home: () => HomeStore | undefined;
  readonly #revive: Revive;
  readonly #views: MappedViews;
  /** Arrays that were allocated and not put yet. */
  readonly #allocated = new WeakMap<ArrayBufferLike, Pinned>();
  readonly #mapped = new WeakSet<object>();

  constructor(endpoint: Endpoint, home: () => HomeStore | undefined, revive: Revive) {
    this.#endpoint = endpoint;
    this.#home = home;
    this.#revive = revive;
    this.#views = new MappedViews((pinned) => this.unpin(pinned));
  }

  /**
   * Writes a value into the store of this node; undefined where there is none.
   *
   * @param withRefs Also one with refs inside.
   * @throws RuntimeError `E_ENCODE`, `E_STORE_FULL`.
   */
  async store(value: unknown, withRefs: boolean): Promise<StoredValue | undefined> {
    const home = this.#home();
    if (!home) return undefined;
    const packed = packValue(value);
    const { exported } = packed;
    if (exported.length > 0 && !withRefs) return undefined;
    const fresh = this.#freshOf(packed);
    if (fresh) return { place: this.#putInPlace(fresh, packed, home), exported };
    const layout = layoutOf(packed);
    const key = nanoid(12);
    const range = await this.#allocate(home, key, layout.bytes);
    const into = range && this.#views.unwatched(range);
    if (!into) {
      if (range) this.#giveUp(home, key);
      return undefined;
    }
    writeValue(packed, layout, into);
    const store = this.#endpoint.to(home.address);
    store.send({ kind: 'store.seal', key });
    store.send({ kind: 'store.unpin', keys: [key] });
    return { place: placeIn(home, key, layout.bytes), exported };
  }

  /**
   * An array in shared memory, or an ordinary one where there is none. Write to it, then put it: that copies nothing.
   *
   * @throws RuntimeError `E_STORE_FULL`.
   */
  async allocate<A extends ArrayBufferView>(Class: ArrayClass<A>, length: number): Promise<A> {
    const home = this.#home();
    const bytes = length * Class.BYTES_PER_ELEMENT;
    const key = nanoid(12);
    const range =
      home && bytes > 0 ? await this.#allocate(home, key, headerRoom + bytes) : undefined;
    const pinned = home && range ? { key, store: home.address, range } : undefined;
    const buffer = pinned && this.#views.open(pinned);
    if (!buffer) {
      if (home && range) this.#giveUp(home, key);
      return new Class(length);
    }
    this.#allocated.set(buffer, pinned);
    const array = new Class(buffer, headerRoom, length);
    // Memory that others have used before.
    new Uint8Array(buffer).fill(0);
    return array;
  }

  /** Memory that this process cannot map is of no use to it. */
  #giveUp({ address }: HomeStore, key: string): void {
    const store = this.#endpoint.to(address);
    store.send({ kind: 'store.free', keys: [key] });
    store.send({ kind: 'store.unpin', keys: [key] });
  }

  /**
   * The value at a place: a view of shared memory on the same machine, otherwise a copy that the node of this process has
   * fetched, or this process itself.
   *
   * @throws RuntimeError `E_OBJECT_LOST` if it is not there any more.
   */
  async read(place: ObjectPlace): Promise<unknown> {
    const pinned = await this.pin(place);
    const buffer = pinned && this.#views.open(pinned);
    if (!buffer) {
      if (pinned) this.unpin(pinned);
      const bytes = new Uint8Array(place.bytes);
      await pull(this.#endpoint, place, bytes);
      return readValue(bytes.buffer, this.#revive);
    }
    const value = readValue(buffer, this.#revive);
    if (typeof value === 'object' && value !== null) this.#mapped.add(value);
    return value;
  }

  /** Makes sure that an object stays where it is, in memory of this machine; undefined if it cannot be there. */
  async pin(place: ObjectPlace): Promise<Pinned | undefined> {
    const { key, store, node } = place;
    const pid = process.pid;
    if (store.machine === this.#endpoint.hello.machine) {
      try {
        const range = await this.#endpoint
          .to(store)
          .request<MemoryRange>({ kind: 'store.pin', key, pid });
        return { key, store, range };
      } catch (error) {
        throw lost(error, key, node);
      }
    }
    const home = this.#home();
    if (!home) return undefined;
    try {
      const range = await this.#endpoint
        .to(home.address)
        .request<MemoryRange | null>({ kind: 'store.fetch', place, pid });
      return range ? { key, store: home.address, range } : undefined;
    } catch (error) {
      // There is still this process's own memory.
      if (error instanceof RuntimeError && error.code === 'E_STORE_FULL') return undefined;
      throw error;
    }
  }

  unpin({ key, store }: Pinned): void {
    this.#endpoint.to(store).send({ kind: 'store.unpin', keys: [key] });
  }

  /** Whether a value is a view of shared memory: it can be had again, and keeps memory from others while it is held. */
  isMapped(value: unknown): boolean {
    return typeof value === 'object' && value !== null && this.#mapped.has(value);
  }

  async #allocate(home: HomeStore, key: string, bytes: number): Promise<MemoryRange | undefined> {
    const range = await this.#endpoint
      .to(home.address)
      .request<MemoryRange | null>({ kind: 'store.allocate', key, bytes, pid: process.pid });
    return range ?? undefined;
  }

  /** The memory that a value is in already, if it is one whole array that was allocated. */
  #freshOf({ header, segments }: PackedValue): Pinned | undefined {
    const [segment] = segments;
    const fresh = segments.length === 1 ? this.#allocated.get(segment!.buffer) : undefined;
    const isWhole = segment?.byteOffset === headerRoom;
    return isWhole && 24 + header.byteLength <= headerRoom ? fresh : undefined;
  }

  #putInPlace({ key, range }: Pinned, packed: PackedValue, home: HomeStore): ObjectPlace {
    const [segment] = packed.segments;
    const buffer = segment!.buffer as ArrayBuffer;
    // Put once more, it is copied like any array.
    this.#allocated.delete(buffer);
    writeValue(packed, { offsets: [headerRoom] }, buffer, true);
    this.#endpoint.to(home.address).send({ kind: 'store.seal', key });
    return placeIn(home, key, range.bytes);
  }
}

const placeIn = ({ node, address, nodeId }: HomeStore, key: string, bytes: number): ObjectPlace =>
  new ObjectPlace(key, bytes, node, address, nodeId);
