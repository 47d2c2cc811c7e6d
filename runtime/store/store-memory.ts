/** Memory of one store, or that a process lends: made when first needed, touched a little ahead of need, shared out in ranges. */

import { statfsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../errors.js';
import type { MemoryRange } from '../wire/messages.js';
import { RangePool } from './range-pool.js';
import { SharedMemory, whyNone } from './shared-memory.js';
import { makeLockedFolder, memoryName, sharedRoot } from './store-folder.js';

/** Of this machine's memory, unless a store is told otherwise. */
const defaultShare = 0.3;
/** Of what /dev/shm has free: others use it too. */
const freeShare = 0.9;
/** With less than this it is not worth while, and Docker gives 64 MiB. */
const minBytes = 128 * 2 ** 20;
/** Memory touched ahead of need, at most; a store that was used little touches as much again. */
const maxAheadBytes = 64 * 2 ** 20;

export interface StoreMemoryOptions {
  /** @default none: it has no name, and no view of it is given out in this process */
  readonly folder?: string;
  /** @default 30 % of this machine's memory */
  readonly bytes?: number | undefined;
  /** Told once if there is no shared memory, with the reason. */
  readonly warn: (why: string) => void;
}

interface Opened {
  readonly memory: SharedMemory;
  readonly pool: RangePool;
  /** There is memory behind everything below. */
  reserved: number;
  /** It was touched up to here. */
  populated: number;
}

export class StoreMemory {
  readonly #options: StoreMemoryOptions;
  #opened: Opened | undefined;
  #remove: (() => void) | undefined;
  #isClosed = false;
  #isShort = false;

  constructor(options: StoreMemoryOptions) {
    this.#options = options;
  }

  /** Whether there is any; it is made now. */
  get isThere(): boolean {
    return this.#open() !== undefined;
  }

  get capacity(): number {
    return this.#opened?.pool.capacity ?? 0;
  }

  get used(): number {
    return this.#opened?.pool.used ?? 0;
  }

  /** Why there is no room, although the store is not full itself: others have taken what it was promised. */
  get whyShort(): string | undefined {
    return this.#isShort ? `${sharedRoot()} is full, of what other programs put there` : undefined;
  }

  /** Offset of memory for so many bytes; undefined while there is none free. */
  take(bytes: number): number | undefined {
    const opened = this.#open();
    const offset = opened?.pool.take(bytes);
    if (!opened || offset === undefined) return undefined;
    const end = offset + bytes;
    if (end > opened.reserved) {
      this.#isShort = !opened.memory.reserve(opened.reserved, end - opened.reserved);
      if (this.#isShort) {
        opened.pool.give(offset, bytes);
        return undefined;
      }
      opened.reserved = end;
      this.#populate(opened);
    }
    return offset;
  }

  give(offset: number, bytes: number): void {
    this.#opened?.pool.give(offset, bytes);
  }

  view(offset: number, bytes: number): Uint8Array {
    return new Uint8Array(this.#opened!.memory.view(offset, bytes));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#opened!.memory.write(offset, bytes);
  }

  /** Gives all of it back to the machine, if nothing is taken. */
  trim(): void {
    const opened = this.#opened;
    if (!opened || opened.pool.used > 0 || opened.reserved === 0) return;
    opened.memory.release(0, Math.max(opened.reserved, opened.populated));
    opened.reserved = 0;
    opened.populated = 0;
  }

  /** How others open it, if it has no name; undefined where there is none. */
  get openFile(): { readonly fd: number; readonly bytes: number } | undefined {
    const memory = this.#open()?.memory;
    return memory?.fd === undefined ? undefined : { fd: memory.fd, bytes: memory.bytes };
  }

  rangeOf(offset: number, bytes: number): MemoryRange {
    const { file, bytes: size } = this.#opened!.memory;
    return { file, size, offset, bytes };
  }

  close(): void {
    this.#isClosed = true;
    this.#opened?.memory.close();
    if (this.#options.folder === undefined) this.#opened?.memory.unmap();
    this.#opened = undefined;
    this.#remove?.();
  }

  #open(): Opened | undefined {
    if (this.#isClosed || this.#opened) return this.#opened;
    const memory = this.#make();
    if (typeof memory === 'string') {
      this.#isClosed = true;
      this.#options.warn(memory);
      return undefined;
    }
    this.#opened = { memory, pool: new RangePool(memory.bytes), reserved: 0, populated: 0 };
    return this.#opened;
  }

  #make(): SharedMemory | string {
    const why = whyNone();
    if (why !== undefined) return why;
    const { folder, bytes = Math.floor(totalmem() * defaultShare) } = this.#options;
    try {
      const { bavail, bsize } = statfsSync(sharedRoot());
      const size = Math.min(bytes, Math.floor(bavail * bsize * freeShare));
      if (size < Math.min(bytes, minBytes)) {
        return `${sharedRoot()} has ${Math.floor((bavail * bsize) / 2 ** 20)} MiB free; give it more (docker run --shm-size)`;
      }
      if (folder === undefined) return SharedMemory.createNameless(sharedRoot(), size);
      this.#remove = makeLockedFolder(folder);
      return SharedMemory.create(join(folder, memoryName), size);
    } catch (error) {
      return messageOf(error);
    }
  }

  /** The first touch of a page costs many times a later one, so it is done beside the work, by another thread. */
  #populate(opened: Opened): void {
    const from = Math.max(opened.populated, opened.reserved);
    const ahead = Math.min(opened.reserved, maxAheadBytes, opened.pool.capacity - from);
    if (ahead <= 0 || opened.populated >= opened.reserved + ahead / 2) return;
    opened.populated = from + ahead;
    opened.memory.populate(from, ahead, () => undefined);
  }
}
