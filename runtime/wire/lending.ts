/**
 * Large segments of messages between processes of one machine need not cross the link: their sender copies them to memory
 * that it lends, and the frame says where. Here is what peers need of that; who shares the memory out is in `store/`.
 */

import type { Message } from './messages.js';
import type { Peer } from './peer.js';

/** Segments of so many bytes are lent: below, to map them and to tell that they are done with costs as much as their way. */
export const lentFrom: number = 100 * 1024;

/** A segment in memory that its sender lends. */
export interface LentRange {
  /** From the beginning of the sender's memory. */
  readonly offset: number;
  readonly bytes: number;
}

/** Copies a segment to where its receiver can read it, and says where; undefined leaves it in the frame. */
export type Lend = (segment: Uint8Array) => LentRange | undefined;

/** The bytes of a segment that was lent. @throws if nothing was lent there. */
export type Borrow = (range: LentRange) => Uint8Array<ArrayBuffer>;

/** What one process lends to its peers and borrows of them. */
export interface Lending {
  lend(peer: Peer, segment: Uint8Array): LentRange | undefined;
  /** A frame that told of these was not sent. */
  unlend(peer: Peer, ranges: readonly LentRange[]): void;
  /** @throws RuntimeError `E_PROTOCOL` if the peer has lent nothing there. */
  borrow(peer: Peer, range: LentRange): Uint8Array<ArrayBuffer>;
  /** Answers what peers tell of it; false for other messages. */
  serve(peer: Peer, message: Message): boolean;
  /** A link has ended. */
  left(peer: Peer): void;
  /** Lends no more. What was borrowed and is still looked at stays. */
  close(): void;
}
