/**
 * Memory that several processes of one machine see: a file under /dev/shm, mapped. It is mapped once a process. That of a store stays so
 * until the process ends, because a view of it may live anywhere; what is given back is only used again.
 */

import { closeSync, constants, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { markAsUntransferable } from 'node:worker_threads';
import { messageOf } from '../errors.js';
import { collectGarbage } from './garbage.js';
import { type Native, native } from './native.js';

const readWrite = 3;
/** MAP_SHARED and MAP_NORESERVE: a store's memory is only promised as it is used. */
const shared = 0x4001;
const lockNow = 6;
/** FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE. */
const punchHole = 3;
/** O_TMPFILE, with the flag by which older kernels refuse it: a file without a name, gone with the last process that has it. */
const nameless = constants.O_RDWR | constants.O_DIRECTORY | 0o20000000;
/**
 * V8 takes a view for memory of this process, and would look for garbage, step by step beside the work, after every 64 MiB
 * of them: that costs more than copying. So views do not count for it, and garbage is looked for here, at one go, after
 * so many bytes of them.
 */
const collectBytes = 256 * 2 ** 20;
let viewedBytes = 0;

function collectAfter(bytes: number): void {
  const before = viewedBytes;
  viewedBytes += bytes;
  if (before >= collectBytes || viewedBytes < collectBytes) return;
  setImmediate(() => {
    viewedBytes = 0;
    void collectGarbage();
  });
}

/** Where views of this thread lie. */
const addresses = new WeakMap<ArrayBufferLike, bigint>();

function viewOf({ koffi, count }: Native, address: bigint, bytes: number): ArrayBuffer {
  const view = koffi.view(address, bytes);
  addresses.set(view, address);
  // Moved to another thread, its memory would outlive what watches over it.
  markAsUntransferable(view);
  if (count) {
    // For good: its end counts as so much less, which is little beside what comes and goes, while giving it back then
    // would look to V8 like so much more memory at once.
    count(-bytes);
    collectAfter(bytes);
  }
  return view;
}

/** Where shared memory begins that this thread has a view of, for other threads of the process. */
export const addressOf = (view: ArrayBufferLike): bigint | undefined => addresses.get(view);

/**
 * A view of what another thread of the process looks at, and goes on to hold as long as this one lives; undefined where there is no
 * shared memory.
 */
export function viewAt(address: bigint, bytes: number): ArrayBuffer | undefined {
  const lib = native();
  return typeof lib === 'string' ? undefined : viewOf(lib, address, bytes);
}

/** In words why this process cannot have shared memory, if so. */
export function whyNone(): string | undefined {
  const lib = native();
  return typeof lib === 'string' ? lib : undefined;
}

/** Whether nobody holds the lock on a folder, by which whoever made it shows that he lives. True also where that cannot be known. */
export function isUnlocked(folder: string): boolean {
  const lib = native();
  if (typeof lib === 'string') return true;
  let fd: number;
  try {
    fd = openSync(folder, 'r');
  } catch {
    return true;
  }
  const free = lib.flock(fd, lockNow) === 0;
  closeSync(fd);
  return free;
}

/** Until this process ends, or calls what is returned. Does nothing where there are no locks. */
export function lockFolder(folder: string): () => void {
  const lib = native();
  if (typeof lib === 'string') return () => undefined;
  const fd = openSync(folder, 'r');
  lib.flock(fd, lockNow);
  return () => closeSync(fd);
}

export class SharedMemory {
  readonly file: string;
  readonly bytes: number;
  readonly #lib: Native;
  readonly #base: bigint;
  /** Of the process that made it. */
  readonly #fd: number | undefined;

  private constructor(lib: Native, file: string, bytes: number, fd: number, isOwner: boolean) {
    this.file = file;
    this.bytes = bytes;
    this.#lib = lib;
    this.#base = lib.mmap(null, bytes, readWrite, shared, fd, 0);
    if (this.#base === -1n || this.#base === 2n ** 64n - 1n) {
      throw new Error(`mmap of ${bytes} bytes fails with errno ${lib.koffi.errno()}`);
    }
    this.#fd = isOwner ? fd : undefined;
  }

  /** New memory, which nothing is reserved for yet; or in words why there is none. */
  static create(file: string, bytes: number): SharedMemory | string {
    return SharedMemory.#make(file, 'wx+', bytes);
  }

  /**
   * The same without a name: others open it by the file that this process has open, and it is gone when nobody has it mapped.
   *
   * @param folder On the file system that it shall be of.
   */
  static createNameless(folder: string, bytes: number): SharedMemory | string {
    return SharedMemory.#make(folder, nameless, bytes);
  }

  static #make(file: string, flags: string | number, bytes: number): SharedMemory | string {
    return SharedMemory.#open(file, flags, (fd, lib) => {
      ftruncateSync(fd, bytes);
      return new SharedMemory(lib, file, bytes, fd, true);
    });
  }

  /** The memory of another process, or in words why it is not to be had here. */
  static open(file: string, bytes: number): SharedMemory | string {
    return SharedMemory.#open(file, 'r+', (fd, lib) => {
      if (fstatSync(fd).size < bytes) throw new Error(`${file} is shorter than ${bytes} bytes`);
      const memory = new SharedMemory(lib, file, bytes, fd, false);
      closeSync(fd);
      return memory;
    });
  }

  static #open(
    file: string,
    flags: string | number,
    make: (fd: number, lib: Native) => SharedMemory,
  ): SharedMemory | string {
    const lib = native();
    if (typeof lib === 'string') return lib;
    let fd: number | undefined;
    try {
      fd = openSync(file, flags, 0o600);
      return make(fd, lib);
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      return messageOf(error);
    }
  }

  /** The bytes themselves; they must stay the caller's as long as the view lives. */
  view(offset: number, bytes: number): ArrayBuffer {
    this.#requireInside(offset, bytes);
    return viewOf(this.#lib, this.#base + BigInt(offset), bytes);
  }

  /** Of the process that made it. */
  get fd(): number | undefined {
    return this.#fd;
  }

  /** Without a view, which would be garbage at once. */
  write(offset: number, bytes: Uint8Array): void {
    this.#requireInside(offset, bytes.byteLength);
    this.#lib.memcpy(this.#base + BigInt(offset), bytes, bytes.byteLength);
  }

  #requireInside(offset: number, bytes: number): void {
    if (offset >= 0 && bytes >= 0 && offset + bytes <= this.bytes) return;
    throw new RangeError(`${bytes} bytes at ${offset} are outside of ${this.file}`);
  }

  /** Make sure that there is memory behind these bytes: a write to a full /dev/shm would end the process. */
  reserve(offset: number, bytes: number): boolean {
    return this.#fd !== undefined && this.#lib.fallocate(this.#fd, 0, offset, bytes) === 0;
  }

  /** Touch pages ahead of need, on another thread. */
  populate(offset: number, bytes: number, done: () => void): void {
    this.#lib.populate(this.#base + BigInt(offset), bytes, done);
  }

  /** Give the memory behind these bytes back to the machine; they read as zeros. */
  release(offset: number, bytes: number): void {
    if (this.#fd !== undefined) this.#lib.fallocate(this.#fd, punchHole, offset, bytes);
  }

  /** Ends the mapping: no view may be left. */
  unmap(): void {
    this.#lib.munmap(this.#base, this.bytes);
  }

  /** The mapping stays: views may live. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}
