/** The answers that one side of a link waits for, by the id of their request. */

import { fromWireError, RuntimeError } from '../errors.js';
import type { AnswerMessage, Message, MessageKind, MessageOf } from './messages.js';
import { InboundStream } from './stream.js';

type RequestKind = {
  [Kind in MessageKind]: MessageOf<Kind> extends { readonly id: number } ? Kind : never;
}[MessageKind];
/** A message that wants an answer, without its `id`. */
export type RequestBody = {
  [Kind in RequestKind]: Omit<MessageOf<Kind>, 'id'>;
}[RequestKind];

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export class PendingAnswers {
  readonly #waiting = new Map<number, Waiting | InboundStream>();
  /** What is sent again if the other side begins anew: requests, and that one was given up. */
  readonly #repeats = new Map<number, Message>();

  /** @param request If it can be made again, as often as need be. */
  add(id: number, waiting: Waiting | InboundStream, request?: Message): void {
    this.#waiting.set(id, waiting);
    if (request) this.#repeats.set(id, request);
  }

  /** Nobody waits any more. The other side may not have heard, so it is told again until it answers. */
  forget(id: number): void {
    this.#waiting.delete(id);
    if (this.#repeats.has(id)) this.#repeats.set(id, { kind: 'cancel', id });
  }

  /** In the order in which they were sent first. */
  get repeats(): readonly Message[] {
    return [...this.#repeats.values()];
  }

  /** A stream cannot be begun again in its middle. */
  failStreams(error: Error): void {
    for (const [id, waiting] of this.#waiting) {
      if (waiting instanceof InboundStream) this.fail(id, error);
    }
  }

  fail(id: number, error: Error): void {
    const waiting = this.#take(id);
    if (waiting instanceof InboundStream) waiting.fail(error);
    else waiting?.reject(error);
  }

  failAll(error: Error): void {
    for (const id of [...this.#waiting.keys()]) this.fail(id, error);
  }

  /** An answer that nobody waits for any more is ignored. */
  answer(message: AnswerMessage): void {
    switch (message.kind) {
      case 'reply': {
        const waiting = this.#take(message.id);
        if (waiting instanceof InboundStream) waiting.end();
        else waiting?.resolve(message.value as never);
        return;
      }
      case 'error':
        this.fail(message.id, fromWireError(message.error));
        return;
      case 'stream.item': {
        const stream = this.#waiting.get(message.id);
        if (stream instanceof InboundStream) stream.push(message.value);
        return;
      }
      case 'stream.end': {
        const stream = this.#take(message.id);
        if (stream instanceof InboundStream) stream.end();
        return;
      }
    }
  }

  #take(id: number): Waiting | InboundStream | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.#repeats.delete(id);
    return waiting;
  }
}

/** Messages whose `id` is that of somebody else's request, or of one that was given up. */
const notRequests: readonly MessageKind[] = [
  'reply',
  'error',
  'stream.item',
  'stream.end',
  'cancel',
  'stream.credit',
];

export const isRequest = (message: Message): message is Message & { readonly id: number } =>
  'id' in message && !notRequests.includes(message.kind);

export const aborted = (signal: AbortSignal): Error =>
  new RuntimeError('E_ABORTED', 'aborted by the caller', { cause: signal.reason });
