/**
 * The sender's side of lent memory. Large segments of messages to other processes of the machine are copied to memory of this process, which
 * those have mapped; a range is used again when its reader has said that it looks no more, or is dead. Nobody is waited for: a
 * segment for which there is no room, or no reader that has the memory mapped, goes over the link.
 */

import { totalmem } from 'node:os';
import { nanoid } from 'nanoid';
import type { ProcessId } from '../ids.js';
import { isSameProcess, type StartedProcess } from '../start-time.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { LentRange } from '../wire/lending.js';
import type { Peer } from '../wire/peer.js';
import { LentRanges } from './lent-ranges.js';
import { StoreMemory } from './store-memory.js';

/** What a process answers that has the memory mapped. */
export interface Borrows extends StartedProcess {
  /** Offsets of what it looks at: it may have had them before its link broke. */
  readonly held: readonly number[];
}

interface Borrower {
  /** `away`: its link has ended, and with a new one it is asked anew. */
  state: 'asked' | 'refuses' | 'ready' | 'away';
  /** Whose death gives back what it was lent. */
  process?: StartedProcess;
}

/** A process lends at most so much, and at most an eighth of the machine's memory. */
const maxBytes = 2 ** 30;
const maxShare = 1 / 8;
const sweepMs = 5_000;
/** A process whose link has just ended needs a moment to be gone. */
const deathMs = 100;
/** Memory of a process that has lent nothing for so long is given back, and who looks at some is asked to look for garbage. */
const quietMs = 10_000;
/** Not more often, for who keeps all he was lent looks for garbage in vain. */
const collectMs = 1_000;

export interface MemoryLenderOptions {
  /** @default an eighth of the machine's memory, 1 GiB at most */
  readonly bytes?: number;
  /** @default performance.now */
  readonly clock?: () => number;
}

export class MemoryLender {
  readonly #endpoint: Endpoint;
  readonly #memory: StoreMemory;
  readonly #clock: () => number;
  readonly #lent = new LentRanges();
  readonly #borrowers = new Map<ProcessId, Borrower>();
  #timer: NodeJS.Timeout | undefined;
  #lentAt = 0;
  #collectedAt = Number.NEGATIVE_INFINITY;

  constructor(endpoint: Endpoint, { bytes, clock }: MemoryLenderOptions = {}) {
    this.#endpoint = endpoint;
    this.#clock = clock ?? (() => performance.now());
    this.#memory = new StoreMemory({
      bytes: bytes ?? Math.min(maxBytes, Math.floor(totalmem() * maxShare)),
      // The store of the node, or of this driver, says it.
      warn: () => undefined,
    });
  }

  /** Bytes that others may be looking at. */
  get bytes(): number {
    return this.#lent.bytes;
  }

  lend({ process }: Peer, segment: Uint8Array): LentRange | undefined {
    const borrower = this.#borrowers.get(process);
    if (borrower?.state !== 'ready') {
      if (!borrower || borrower.state === 'away') void this.#offer(process);
      return undefined;
    }
    const bytes = segment.byteLength;
    // One alone must not take so much that all others go over the link.
    if (bytes > this.#memory.capacity / 2) return undefined;
    const offset = this.#memory.take(bytes);
    if (offset === undefined) {
      this.#collect();
      return undefined;
    }
    this.#memory.write(offset, segment);
    const range = { offset, bytes };
    this.#lent.add(process, range);
    this.#lentAt = this.#clock();
    return range;
  }

  back({ process }: Peer, offsets: readonly number[]): void {
    this.#give(this.#lent.back(process, offsets));
  }

  left({ process }: Peer): void {
    const borrower = this.#borrowers.get(process);
    if (!borrower) return;
    borrower.state = 'away';
    if (borrower.process) setTimeout(() => this.sweep(), deathMs).unref();
    else this.#borrowers.delete(process);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#borrowers.clear();
    this.#memory.close();
  }

  /** Looks for who has died, and for memory that nobody needs. */
  sweep(): void {
    for (const [process, borrower] of this.#borrowers) {
      if (borrower.state !== 'away' || !borrower.process || isSameProcess(borrower.process))
        continue;
      this.#borrowers.delete(process);
      this.#give(this.#lent.allBut(process, []));
    }
    if (this.#clock() - this.#lentAt < quietMs) return;
    if (this.#lent.bytes === 0) this.#memory.trim();
    else if (this.#collectedAt < this.#lentAt) this.#collect();
  }

  /** Until it is answered, what there is to send goes over the link. */
  async #offer(process: ProcessId): Promise<void> {
    const peer = this.#endpoint.peers.get(process);
    const known = this.#borrowers.get(process);
    const borrower: Borrower = { ...known, state: 'asked' };
    this.#borrowers.set(process, borrower);
    const answer = peer && this.#canLend(peer) ? await this.#ask(peer) : undefined;
    // Its link has ended meanwhile, or this process has left.
    if (this.#borrowers.get(process) !== borrower || borrower.state !== 'asked') return;
    borrower.state = 'refuses';
    if (!answer || !isSameProcess(answer)) return;
    this.#give(this.#lent.allBut(process, answer.held));
    const { pid, startedAt } = answer;
    borrower.process = { pid, startedAt };
    borrower.state = 'ready';
  }

  #canLend(peer: Peer): boolean {
    const role = this.#endpoint.roleOf(peer);
    return this.#endpoint.isNear(peer) && (role === 'host' || role === 'driver');
  }

  async #ask(peer: Peer): Promise<Borrows | undefined> {
    const file = this.#memory.openFile;
    const mark = nanoid();
    const at = file && this.#memory.take(mark.length);
    if (!file || at === undefined) return undefined;
    this.#timer ??= setInterval(() => this.sweep(), sweepMs).unref();
    this.#memory.write(at, Buffer.from(mark));
    try {
      const { pid } = process;
      return (
        (await peer.request<Borrows | null>(
          { kind: 'lent.offer', pid, ...file, mark, at },
          { lane: 'control' },
        )) ?? undefined
      );
    } catch {
      return undefined;
    } finally {
      this.#memory.give(at, mark.length);
    }
  }

  #give(ranges: readonly LentRange[]): void {
    for (const { offset, bytes } of ranges) this.#memory.give(offset, bytes);
  }

  /** Views that nobody uses keep memory until their process collects garbage, which it has no reason to do of itself. */
  #collect(): void {
    const now = this.#clock();
    if (now - this.#collectedAt < collectMs) return;
    this.#collectedAt = now;
    for (const process of this.#lent.borrowers) {
      // Who is gone by then answers nothing.
      this.#endpoint.peers
        .get(process)
        ?.request({ kind: 'store.collect' })
        .catch(() => undefined);
    }
  }
}
