/**
 * The receiver's side of lent memory: it maps that of each lender once, and watches over its views. When nothing here can reach one any
 * more, the lender is told. Memory of a lender whose link has ended is unmapped with the last view of it.
 */

import { RuntimeError } from '../errors.js';
import type { ProcessId } from '../ids.js';
import { startTime } from '../start-time.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { LentRange } from '../wire/lending.js';
import type { MessageOf } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import type { Borrows } from './memory-lender.js';
import { SharedMemory } from './shared-memory.js';

interface Lender {
  readonly process: ProcessId;
  readonly memory: SharedMemory;
  /** Offsets of what is looked at here. */
  readonly held: Set<number>;
  /** Offsets that the lender will be told of. */
  done: number[];
  isLinked: boolean;
}

interface Borrowed {
  readonly lender: Lender;
  readonly offset: number;
}

export class MemoryBorrower {
  readonly #endpoint: Endpoint;
  readonly #lenders = new Map<ProcessId, Lender>();
  readonly #living = new FinalizationRegistry<Borrowed>((borrowed) => this.#gone(borrowed));

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** Null if this process cannot map what it was offered. */
  take({ process: by }: Peer, offer: MessageOf<'lent.offer'>): Borrows | null {
    const known = this.#lenders.get(by);
    const memory =
      known?.memory ?? SharedMemory.open(`/proc/${offer.pid}/fd/${offer.fd}`, offer.bytes);
    if (typeof memory === 'string') return null;
    // Where process ids are others, it may be another file.
    if (!isMarked(memory, offer)) {
      if (!known) memory.unmap();
      return null;
    }
    const lender = known ?? { process: by, memory, held: new Set(), done: [], isLinked: true };
    lender.isLinked = true;
    lender.done = [];
    this.#lenders.set(by, lender);
    const { pid } = process;
    return { pid, startedAt: startTime(pid), held: [...lender.held] };
  }

  /** @throws RuntimeError `E_PROTOCOL`, RangeError. */
  borrow({ process, name }: Peer, { offset, bytes }: LentRange): Uint8Array<ArrayBuffer> {
    const lender = this.#lenders.get(process);
    if (!lender) throw new RuntimeError('E_PROTOCOL', `${name} has lent nothing`);
    const view = lender.memory.view(offset, bytes);
    lender.held.add(offset);
    this.#living.register(view, { lender, offset });
    return new Uint8Array(view);
  }

  left({ process }: Peer): void {
    const lender = this.#lenders.get(process);
    if (!lender) return;
    lender.isLinked = false;
    this.#unmap(lender);
  }

  #gone({ lender, offset }: Borrowed): void {
    lender.held.delete(offset);
    this.#unmap(lender);
    if (!lender.isLinked) return;
    lender.done.push(offset);
    // Many end at once: they are told of together.
    if (lender.done.length === 1) setImmediate(() => this.#tell(lender));
  }

  #tell(lender: Lender): void {
    const offsets = lender.done;
    lender.done = [];
    if (offsets.length === 0 || !lender.isLinked) return;
    this.#endpoint.peers.get(lender.process)?.send({ kind: 'lent.back', offsets }, 'control');
  }

  /** As an array's own memory goes with it: nothing here can reach it, and nobody sends more of it. */
  #unmap(lender: Lender): void {
    if (lender.isLinked || lender.held.size > 0) return;
    if (this.#lenders.get(lender.process) === lender) this.#lenders.delete(lender.process);
    lender.memory.unmap();
  }
}

function isMarked(memory: SharedMemory, { mark, at }: MessageOf<'lent.offer'>): boolean {
  try {
    return Buffer.from(memory.view(at, Buffer.byteLength(mark))).toString() === mark;
  } catch {
    return false;
  }
}
