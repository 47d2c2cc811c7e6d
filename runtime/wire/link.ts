/** A link carries frames between two processes or threads: ordered lanes that do not block one another. */

import { RuntimeError } from '../errors.js';

/** `control`: small and urgent. `call`: calls and answers, in order. `latest`: borders, newest wins. `object`: parts of stored objects. */
export type Lane = 'control' | 'call' | 'latest' | 'object';
export const lanes: readonly Lane[] = ['control', 'call', 'latest', 'object'];

export interface LinkEvents {
  frame(bytes: Uint8Array<ArrayBuffer>): void;
  /**
   * Once, whoever closed it.
   *
   * @param isMeant The other side closed it on purpose; otherwise it broke, or one of both was at fault.
   */
  closed(why: string, isMeant: boolean): void;
}

export interface Link {
  /** Attach the receiver; frames that came before are delivered first. */
  open(events: LinkEvents): void;
  /**
   * Takes the bytes: they must not change any more.
   *
   * @throws RuntimeError `E_BACKPRESSURE` if the peer has stopped reading and the queue is full.
   */
  send(bytes: Uint8Array<ArrayBuffer>, lane: Lane): void;
  /** @param isMeant Whether the other side shall not wait for another link. @default true */
  close(why: string, isMeant?: boolean): void;
}

/** Two ends in one process. Frames are the encoded bytes, as between machines. */
export function memoryLink(): readonly [Link, Link] {
  const left = new MemoryLink();
  const right = new MemoryLink();
  left.connect(right);
  right.connect(left);
  return [left, right];
}

/** Leads back to where it starts: what is sent arrives at its own sender. */
export function memoryLoop(): Link {
  const loop = new MemoryLink();
  loop.connect(loop);
  return loop;
}

class MemoryLink implements Link {
  #other: MemoryLink | undefined;
  #events: LinkEvents | undefined;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #closed = false;

  connect(other: MemoryLink): void {
    this.#other = other;
  }

  open(events: LinkEvents): void {
    this.#events = events;
    for (const bytes of this.#waiting.splice(0)) events.frame(bytes);
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#closed) throw new RuntimeError('E_CLOSED', 'the link is closed');
    const copy = bytes.slice();
    setImmediate(() => this.#other?.receive(copy));
  }

  receive(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#closed) return;
    if (this.#events) this.#events.frame(bytes);
    else this.#waiting.push(bytes);
  }

  close(why: string, isMeant = true): void {
    if (this.#closed) return;
    this.#closed = true;
    setImmediate(() => {
      this.#events?.closed(why, isMeant);
      this.#other?.close(why, isMeant);
    });
  }
}
