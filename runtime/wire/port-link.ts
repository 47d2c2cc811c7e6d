/**
 * A link to a thread of the same process: whole frames, their memory moved rather than copied. It does not outlive its
 * thread, and whoever started the thread notices its end, so the port's own close event is not listened to.
 */

import type { MessagePort } from 'node:worker_threads';
import { RuntimeError } from '../errors.js';
import type { Link, LinkEvents } from './link.js';

export class PortLink implements Link {
  readonly #port: MessagePort;
  #events: LinkEvents | undefined;
  #closed = false;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  open(events: LinkEvents): void {
    this.#events = events;
    this.#port.on('message', (bytes: Uint8Array<ArrayBuffer>) => events.frame(bytes));
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#closed) throw new RuntimeError('E_CLOSED', 'the thread ended');
    // Memory that holds more than the frame belongs to others too.
    const own = bytes.buffer.byteLength - bytes.byteLength <= 8 ? bytes : bytes.slice();
    this.#port.postMessage(own, [own.buffer]);
  }

  close(why: string): void {
    this.#port.close();
    this.#end(why);
  }

  #end(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed(why, true);
  }
}
