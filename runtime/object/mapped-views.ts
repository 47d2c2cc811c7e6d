/**
 * Views of stores' memory in this process or thread. Each view is watched: when nothing here can reach it any more, its store
 * is told that the object has one reader less.
 */

import { basename, dirname } from 'node:path';
import { RuntimeError } from '../errors.js';
import { SharedMemory } from '../store/shared-memory.js';
import { isStoreFolder, memoryName } from '../store/store-folder.js';
import type { Address } from '../wire/address.js';
import type { MemoryRange } from '../wire/messages.js';

/** An object that this process has pinned. */
export interface Pinned {
  readonly key: string;
  readonly store: Address;
  readonly range: MemoryRange;
}

export class MappedViews {
  /** Memory stays mapped as long as the process lives. */
  readonly #memories = new Map<string, SharedMemory | string>();
  readonly #living: FinalizationRegistry<Pinned>;

  /** @param unpin Told once for each view that is gone. */
  constructor(unpin: (pinned: Pinned) => void) {
    this.#living = new FinalizationRegistry(unpin);
  }

  /** The bytes of an object, or undefined if this process cannot map them. */
  open(pinned: Pinned): ArrayBuffer | undefined {
    const { file, size, offset, bytes } = pinned.range;
    const memory = this.#memoryOf(file, size);
    if (typeof memory === 'string') return undefined;
    const view = memory.view(offset, bytes);
    this.#living.register(view, pinned);
    return view;
  }

  /** To write to. Nobody is told of its end. */
  unwatched({ file, size, offset, bytes }: MemoryRange): ArrayBuffer | undefined {
    const memory = this.#memoryOf(file, size);
    return typeof memory === 'string' ? undefined : memory.view(offset, bytes);
  }

  #memoryOf(file: string, size: number): SharedMemory | string {
    const known = this.#memories.get(file);
    if (known) return known;
    // The path comes from another process: it must not lead to anything else.
    if (basename(file) !== memoryName || !isStoreFolder(dirname(file))) {
      throw new RuntimeError('E_PROTOCOL', `${file} is no store's memory`);
    }
    const memory = SharedMemory.open(file, size);
    this.#memories.set(file, memory);
    return memory;
  }
}
