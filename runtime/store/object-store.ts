/**
 * A store of large objects: of a node, kept by its agent, or of a driver. It shares out memory that others write to and map,
 * puts on disk what there is no room for, and fetches from other stores what its neighbours want.
 */

import { RuntimeError, toWireError } from '../errors.js';
import type { ProcessId } from '../ids.js';
import type { StoredObject, StoreStats } from '../observe/reports.js';
import { startTime } from '../start-time.js';
import type { ObjectPlace } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { MemoryRange, Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { pull } from './pull.js';
import { SpillFolder } from './spill.js';
import { StoreMemory } from './store-memory.js';
import { StoreRoom } from './store-room.js';
import { type Entry, StoreTable } from './store-table.js';

/** Leases and dead processes are looked at so often. */
const sweepMs = 5_000;
/** A process whose link has just ended needs a moment to be gone. */
const deathMs = 100;
/** Others get so long to look for garbage. */
const collectMs = 2_000;
const maxKeyLength = 64;

export interface ObjectStoreOptions {
  readonly endpoint: Endpoint;
  /** Under /dev/shm; made on first use, removed by `close`. */
  readonly folder: string;
  /** On disk, likewise. */
  readonly spillFolder: string;
  /** Shown in lists: of the node, or the driver. */
  readonly name: string;
  /** @default 30 % of this machine's memory, and no more than /dev/shm has */
  readonly bytes?: number | undefined;
  /** Told once if there is no shared memory. */
  readonly warn: (text: string) => void;
}

export class ObjectStore {
  readonly #endpoint: Endpoint;
  readonly #name: string;
  readonly #memory: StoreMemory;
  readonly #spill: SpillFolder;
  readonly #table = new StoreTable({ gone: (entry) => this.#gone(entry) });
  /** Who waits for an object that is being written. */
  readonly #unsealed = new Map<string, (() => void)[]>();
  readonly #room: StoreRoom;
  readonly #fetching = new Map<string, Promise<void>>();
  /** Processes of this machine that have mapped something, and when they began. */
  readonly #pids = new Map<ProcessId, { readonly pid: number; readonly started: string }>();
  readonly #timer: NodeJS.Timeout;

  constructor({ endpoint, folder, spillFolder, name, bytes, warn }: ObjectStoreOptions) {
    if (bytes !== undefined && !(Number.isSafeInteger(bytes) && bytes > 0)) {
      throw new RuntimeError('E_OPTION', `objectStoreBytes ${bytes} must be a whole number from 1`);
    }
    this.#endpoint = endpoint;
    this.#name = name;
    this.#spill = new SpillFolder(spillFolder);
    this.#memory = new StoreMemory({
      folder,
      bytes,
      warn: (why) => warn(`no shared memory, large objects travel by socket: ${why}`),
    });
    this.#room = new StoreRoom({
      memory: this.#memory,
      spill: this.#spill,
      table: this.#table,
      collect: () => this.#collect(),
    });
    this.#timer = setInterval(() => this.#sweep(), sweepMs);
    this.#timer.unref();
  }

  get stats(): StoreStats {
    const all = [...this.#table.entries];
    const spilled = all.filter(({ state }) => state.phase === 'disk');
    return {
      objects: all.length - spilled.length,
      bytes: this.#memory.used,
      spilledObjects: spilled.length,
      spilledBytes: spilled.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  /** Answers what is asked of a store; false for other messages. */
  serve(peer: Peer, message: Message): boolean {
    const by = peer.process;
    switch (message.kind) {
      case 'store.allocate':
        void this.#answer(peer, message.id, () => this.#allocate(message, by));
        return true;
      case 'store.seal':
        this.#seal(message.key, by);
        return true;
      case 'store.pin':
        void this.#answer(peer, message.id, () => this.#pin(message.key, by, message.pid));
        return true;
      case 'store.fetch':
        void this.#answer(peer, message.id, () => this.#fetch(message.place, by, message.pid));
        return true;
      case 'store.read':
        void this.#answer(peer, message.id, () => this.#read(message, by));
        return true;
      case 'store.unpin':
        for (const key of message.keys) this.#table.unpin(key, by);
        this.#room.changed();
        return true;
      case 'store.hold':
        this.#table.hold(message.keys);
        return true;
      case 'store.free':
        for (const key of message.keys) this.#table.free(key);
        this.#wake();
        return true;
      case 'store.list':
        void this.#answer(peer, message.id, () => this.list());
        return true;
      default:
        return false;
    }
  }

  list(): readonly StoredObject[] {
    return [...this.#table.entries].map(({ key, bytes, as, state, pins }) => ({
      store: this.#name,
      key,
      bytes,
      as,
      where: state.phase === 'disk' ? 'disk' : 'memory',
      readers: pins.size,
    }));
  }

  /** A link has ended. A process that lives on may still look at what it has mapped. */
  left({ process }: Peer): void {
    if (!this.#pids.has(process)) this.#forget(process);
    else setTimeout(() => this.#buryDead(), deathMs).unref();
  }

  /** Nothing is served any more. Who has mapped the memory keeps it. */
  close(): void {
    clearInterval(this.#timer);
    this.#memory.close();
    this.#spill.close();
  }

  async #allocate(
    { key, bytes, pid }: { readonly key: string; readonly bytes: number; readonly pid: number },
    by: ProcessId,
  ): Promise<MemoryRange | null> {
    if (key === '' || key.length > maxKeyLength || this.#table.get(key) || bytes === 0) {
      throw new RuntimeError('E_PROTOCOL', `no object of ${bytes} bytes can have the key ${key}`);
    }
    if (!this.#memory.isThere) return null;
    const offset = await this.#room.take(bytes);
    if (this.#table.get(key)) {
      this.#memory.give(offset, bytes);
      throw new RuntimeError('E_PROTOCOL', `two objects with the key ${key}`);
    }
    this.#note(by, pid);
    this.#table.add(key, bytes, 'original', by, offset);
    return this.#memory.rangeOf(offset, bytes);
  }

  #seal(key: string, by: ProcessId): void {
    const entry = this.#table.get(key);
    if (entry?.state.phase !== 'writing' || entry.state.writer !== by) return;
    this.#table.moved(entry, { phase: 'memory', offset: entry.state.offset });
    this.#sealed(key);
  }

  #sealed(key: string): void {
    for (const wake of this.#unsealed.get(key) ?? []) wake();
    this.#unsealed.delete(key);
    this.#room.changed();
  }

  async #pin(key: string, by: ProcessId, pid: number): Promise<MemoryRange> {
    const entry = this.#table.find(key);
    this.#note(by, pid);
    this.#table.pin(entry, by);
    try {
      return this.#memory.rangeOf(await this.#inMemory(entry), entry.bytes);
    } catch (error) {
      this.#table.unpin(key, by);
      throw error;
    }
  }

  /** Waits until an object that is pinned lies in memory, and says where. */
  async #inMemory(entry: Entry): Promise<number> {
    while (true) {
      // What its owner has let go of, or what its writer left unfinished.
      if (this.#table.find(entry.key) !== entry) throw gone(entry.key);
      const { state } = entry;
      switch (state.phase) {
        case 'memory':
          return state.offset;
        case 'writing':
          await new Promise<void>((resolve) => {
            const waiting = this.#unsealed.get(entry.key) ?? [];
            this.#unsealed.set(entry.key, [...waiting, resolve]);
          });
          break;
        case 'moving':
          await state.done.catch(() => undefined);
          break;
        case 'disk':
          await this.#room.load(entry);
      }
    }
  }

  /** Views that nobody uses keep memory until their process collects garbage, which it has no reason to do of itself. */
  async #collect(): Promise<void> {
    const readers = new Set([...this.#table.entries].flatMap(({ pins }) => [...pins.keys()]));
    const signal = AbortSignal.timeout(collectMs);
    const asked = [...readers].map((process) =>
      this.#endpoint.peers.get(process)?.request({ kind: 'store.collect' }, { signal }),
    );
    await Promise.allSettled(asked);
  }

  async #fetch(place: ObjectPlace, by: ProcessId, pid: number): Promise<MemoryRange | null> {
    if (!this.#memory.isThere) return null;
    const { key } = place;
    let fetching = this.#fetching.get(key);
    if (!fetching && !this.#table.get(key)) {
      fetching = this.#pull(place).finally(() => this.#fetching.delete(key));
      this.#fetching.set(key, fetching);
    }
    await fetching;
    return this.#pin(key, by, pid);
  }

  async #pull(place: ObjectPlace): Promise<void> {
    const { key, bytes } = place;
    const { process } = this.#endpoint;
    const offset = await this.#room.take(bytes);
    const entry = this.#table.add(key, bytes, 'copy', process, offset);
    try {
      await pull(this.#endpoint, place, this.#memory.view(offset, bytes));
      this.#seal(key, process);
    } catch (error) {
      entry.isFreed = true;
      throw error;
    } finally {
      this.#table.unpin(key, process);
    }
  }

  #read(
    {
      key,
      offset,
      bytes,
    }: { readonly key: string; readonly offset: number; readonly bytes: number },
    by: ProcessId,
  ): Uint8Array {
    const entry = this.#table.find(key);
    if (entry.state.phase !== 'memory' || !entry.pins.has(by) || offset + bytes > entry.bytes) {
      throw new RuntimeError(
        'E_PROTOCOL',
        `${bytes} bytes at ${offset} of ${key} are not to be read`,
      );
    }
    return this.#memory.view(entry.state.offset + offset, bytes);
  }

  #gone({ key, bytes, state }: Entry): void {
    if (state.phase === 'disk') void this.#spill.remove(key);
    else this.#memory.give(state.offset, bytes);
    this.#sealed(key);
  }

  #note(process: ProcessId, pid: number): void {
    const started = pid === 0 || this.#pids.has(process) ? '' : startTime(pid);
    // A pid of another namespace means nothing here: then the end of the link is taken for the end of the process.
    if (started !== '') this.#pids.set(process, { pid, started });
  }

  #sweep(): void {
    this.#buryDead();
    this.#table.sweep();
  }

  #buryDead(): void {
    for (const [process, { pid, started }] of this.#pids) {
      if (startTime(pid) === started) continue;
      this.#pids.delete(process);
      this.#forget(process);
    }
  }

  #forget(process: ProcessId): void {
    this.#table.forget(process);
    this.#wake();
  }

  /** Something was let go of: there may be room, and who waits for it to be written waits in vain. */
  #wake(): void {
    for (const key of [...this.#unsealed.keys()]) {
      if (this.#table.get(key)?.isFreed !== false) this.#sealed(key);
    }
    this.#room.changed();
  }

  async #answer(peer: Peer, id: number, body: () => unknown): Promise<void> {
    try {
      const value = await body();
      // Parts of objects must not hold up what is small.
      peer.send({ kind: 'reply', id, value }, value instanceof Uint8Array ? 'object' : 'call');
    } catch (error) {
      peer.send({ kind: 'error', id, error: toWireError(error) });
    }
  }
}

const gone = (key: string): RuntimeError =>
  new RuntimeError('E_OBJECT_LOST', `stored object ${key} is not there any more`);
