/** What a driver or a host lends to the other processes of its machine, and borrows of them. */

import type { Endpoint } from '../wire/endpoint.js';
import type { Lending, LentRange } from '../wire/lending.js';
import type { Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { MemoryBorrower } from './memory-borrower.js';
import { MemoryLender, type MemoryLenderOptions } from './memory-lender.js';

export class SharedLending implements Lending {
  readonly lender: MemoryLender;
  readonly #borrower: MemoryBorrower;

  constructor(endpoint: Endpoint, options: MemoryLenderOptions = {}) {
    this.lender = new MemoryLender(endpoint, options);
    this.#borrower = new MemoryBorrower(endpoint);
  }

  lend(peer: Peer, segment: Uint8Array): LentRange | undefined {
    return this.lender.lend(peer, segment);
  }

  unlend(peer: Peer, ranges: readonly LentRange[]): void {
    this.lender.back(
      peer,
      ranges.map(({ offset }) => offset),
    );
  }

  borrow(peer: Peer, range: LentRange): Uint8Array<ArrayBuffer> {
    return this.#borrower.borrow(peer, range);
  }

  serve(peer: Peer, message: Message): boolean {
    switch (message.kind) {
      case 'lent.offer':
        peer.send({ kind: 'reply', id: message.id, value: this.#borrower.take(peer, message) });
        return true;
      case 'lent.back':
        this.lender.back(peer, message.offsets);
        return true;
      default:
        return false;
    }
  }

  left(peer: Peer): void {
    this.lender.left(peer);
    this.#borrower.left(peer);
  }

  close(): void {
    this.lender.close();
  }
}
