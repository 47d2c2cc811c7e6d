/**
 * Shared memory on its way from a host to the thread of its actor. Both see the same addresses, so nothing is copied: the host holds its
 * own view, and with it what that stands for, until the thread's is gone.
 */

import { RuntimeError } from '../errors.js';
import type { Lending, LentRange } from '../wire/lending.js';
import type { Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { addressOf, viewAt } from './shared-memory.js';

/** On the host. What it lends are its views of shared memory, and no others; offsets are addresses. */
export class ThreadLender implements Lending {
  /** By address; the same memory may be on its way more than once. */
  readonly #held = new Map<number, ArrayBufferLike[]>();

  lend(_: Peer, { buffer, byteOffset, byteLength }: Uint8Array): LentRange | undefined {
    const start = addressOf(buffer);
    if (start === undefined) return undefined;
    const offset = Number(start) + byteOffset;
    const known = this.#held.get(offset);
    if (known) known.push(buffer);
    else this.#held.set(offset, [buffer]);
    return { offset, bytes: byteLength };
  }

  unlend(_: Peer, ranges: readonly LentRange[]): void {
    for (const { offset } of ranges) this.#back(offset);
  }

  borrow({ name }: Peer): never {
    throw new RuntimeError('E_PROTOCOL', `${name} lends nothing`);
  }

  serve(_: Peer, message: Message): boolean {
    if (message.kind !== 'lent.back') return false;
    for (const offset of message.offsets) this.#back(offset);
    return true;
  }

  left(): void {}

  close(): void {
    this.#held.clear();
  }

  #back(offset: number): void {
    const buffers = this.#held.get(offset);
    buffers?.pop();
    if (buffers?.length === 0) this.#held.delete(offset);
  }
}

interface Borrowed {
  readonly peer: Peer;
  readonly offset: number;
}

/** On the thread, which lends nothing itself: its results are its own memory, and are copied. */
export class ThreadBorrower implements Lending {
  readonly #living = new FinalizationRegistry<Borrowed>(({ peer, offset }) => {
    peer.send({ kind: 'lent.back', offsets: [offset] }, 'control');
  });

  lend(): undefined {}

  unlend(): void {}

  borrow(peer: Peer, { offset, bytes }: LentRange): Uint8Array<ArrayBuffer> {
    const view = viewAt(BigInt(offset), bytes);
    if (!view) throw new RuntimeError('E_PROTOCOL', 'shared memory on a thread that has none');
    this.#living.register(view, { peer, offset });
    return new Uint8Array(view);
  }

  serve(): boolean {
    return false;
  }

  left(): void {}

  close(): void {}
}
