/** What the head does for those who watch: logs, metrics and traces. It decides nothing and changes no state. */

import type { HeadEvent } from '../head/brain.js';
import type { Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { type HeadView, LogHub } from './log-hub.js';

export class HeadObserver {
  readonly #logs: LogHub;

  constructor(head: HeadView) {
    this.#logs = new LogHub(head);
  }

  /** Whether the message was not the brain's business. */
  serve(peer: Peer, message: Message): boolean {
    return this.#logs.serve(peer, message);
  }

  left(peer: Peer): void {
    this.#logs.left(peer);
  }

  /** After every step of the brain. */
  stepped(event: HeadEvent): void {
    this.#logs.settle();
    if ('tick' in event) this.#logs.tidy();
  }
}
