/**
 * Another process, as this one sees it: requests and their answers, streams, and messages batched per microtask. A
 * peer exists before its link does; what is sent meanwhile waits, encoded, in order.
 */

import { setMaxListeners } from 'node:events';
import { LinkLostError, messageOf, RuntimeError, toWireError } from '../errors.js';
import type { ProcessId } from '../ids.js';
import { decodeFrame, encodeFrame } from './frame.js';
import { LatestLane, type LatestTraffic } from './latest-lane.js';
import type { Borrow, Lend, Lending, LentRange } from './lending.js';
import { type Lane, type Link, lanes } from './link.js';
import type { Message, MessageOf } from './messages.js';
import { aborted, isRequest, PendingAnswers, type RequestBody } from './pending.js';
import { InboundStream } from './stream.js';
import { type Revive, segmentBytes } from './value.js';

export interface PeerEvents {
  /** Everything but answers. Must not throw. */
  message(peer: Peer, message: Message): void;
  /** A message of the latest-wins lane with the frame it came in, to be passed on as it is. @default `message` */
  latest?(peer: Peer, message: MessageOf<'latest'>, frame: Uint8Array<ArrayBuffer>): void;
  /** A credit for a message that this process only passed on. @default it is for this peer's own lane */
  credit?(message: MessageOf<'latest.credit'>): void;
  /**
   * The link broke. True keeps the peer: it waits for another link, and what is unanswered is asked again then.
   *
   * @default it closes
   */
  interrupted?(peer: Peer, why: string): boolean;
  /** Once. Pending requests have been rejected with `E_PEER_LOST` already. */
  closed(peer: Peer, why: string): void;
}

/** What went over a peer's link, frame headers included. */
export interface PeerCounts {
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
}

export class Peer {
  readonly process: ProcessId;
  readonly name: string;
  readonly traffic: LatestTraffic = { latestMessages: 0, latestPayloadBytes: 0, latestDropped: 0 };
  readonly counts: PeerCounts = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
  readonly #events: PeerEvents;
  readonly #revive: Revive;
  readonly #pending = new PendingAnswers();
  readonly #latest: LatestLane;
  readonly #lending: Lending | undefined;
  readonly #lend: Lend | undefined;
  readonly #borrow: Borrow | undefined;
  /** What the frame that is being encoded tells of. */
  #lent: LentRange[] = [];
  #lentBytes = 0;
  readonly #outbox: Record<Lane, Message[]> = {
    control: [],
    call: [],
    latest: [],
    object: [],
  };
  #unsent: Parameters<Link['send']>[] = [];
  #link: Link | undefined;
  #nextId: number;
  /** It waits for another link. */
  #isAway = false;
  #flushing = false;
  #closed: string | undefined;

  constructor(
    process: ProcessId,
    name: string,
    events: PeerEvents,
    revive: (peer: Peer) => Revive,
    { firstId = 1, lending }: { readonly firstId?: number; readonly lending?: Lending } = {},
  ) {
    this.#nextId = firstId;
    this.#lending = lending;
    if (lending) {
      this.#lend = (segment) => this.#lendSegment(lending, segment);
      this.#borrow = (range) => lending.borrow(this, range);
    }
    this.process = process;
    this.name = name;
    this.#events = events;
    this.#revive = revive(this);
    this.#latest = new LatestLane((bytes) => {
      try {
        this.#transmit(bytes, 'latest');
      } catch {
        return false;
      }
      this.traffic.latestMessages++;
      this.traffic.latestPayloadBytes += segmentBytes(bytes);
      return true;
    });
  }

  /** Of segments that were lent to it so far, and did not go over the link. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  get linked(): boolean {
    return this.#link !== undefined;
  }

  /**
   * Give the peer its link; what waited goes out first.
   *
   * @param greeting Told before anything else.
   */
  attach(link: Link, greeting: readonly Message[] = []): void {
    if (this.#closed !== undefined) {
      link.close(this.#closed);
      return;
    }
    this.#link = link;
    link.open({
      frame: (bytes) => this.#receive(bytes),
      closed: (why, isMeant) => this.#lose(why, isMeant),
    });
    if (this.#isAway) {
      this.#isAway = false;
      for (const message of [...greeting, ...this.#pending.repeats]) this.send(message);
      return;
    }
    for (const message of greeting) this.send(message);
    const unsent = this.#unsent;
    this.#unsent = [];
    try {
      for (const [bytes, lane] of unsent) this.#transmit(bytes, lane);
    } catch (cause) {
      this.#break(new RuntimeError('E_BACKPRESSURE', messageOf(cause), { cause }));
    }
  }

  /** There will be no link. */
  fail(error: Error): void {
    this.#end(error);
  }

  /** @param isMeant Whether the other side shall not wait for another link. */
  close(why: string, isMeant = true): void {
    this.#flush();
    const link = this.#link;
    this.#end(new RuntimeError('E_CLOSED', why));
    link?.close(why, isMeant);
  }

  send(message: Message, lane: Lane = 'call'): void {
    if (this.#closed !== undefined || this.#isAway) return;
    this.#outbox[lane].push(message);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  /**
   * Send what nobody answers. It is encoded now, so the caller hears at once what is wrong with it.
   *
   * @throws RuntimeError `E_ENCODE`, `E_BACKPRESSURE`.
   */
  tell(message: MessageOf<'tell'>): void {
    if (this.#closed !== undefined) return;
    // What was said before comes first, also where there is only so much to lend.
    this.#flush();
    this.#post([message], 'call');
  }

  /**
   * @throws The error that the peer answered with, `E_PEER_LOST` if the link breaks first, `E_ABORTED` on abort (the
   * peer is told to stop, its late answer is ignored).
   */
  request<Value>(
    body: RequestBody,
    options: { signal?: AbortSignal; lane?: Lane } = {},
  ): Promise<Value> {
    const { signal, lane = 'call' } = options;
    if (this.#closed !== undefined) return Promise.reject(this.#lost());
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const id = this.#nextId++;
    return new Promise<Value>((resolve, reject) => {
      const onAbort = (): void => {
        this.#pending.forget(id);
        // Not before the request itself: the peer would then run it to its end.
        this.send({ kind: 'cancel', id }, lane);
        reject(aborted(signal!));
      };
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          signal?.removeEventListener('abort', onAbort);
          then(value);
        };
      if (signal) {
        // One signal may be that of a thousand calls.
        setMaxListeners(0, signal);
        signal.addEventListener('abort', onAbort, { once: true });
      }
      const message = { ...body, id } as Message;
      this.#pending.add(
        id,
        { resolve: settle(resolve), reject: settle(reject) },
        this.#events.interrupted ? message : undefined,
      );
      this.send(message, lane);
    });
  }

  /** Items as they come; leaving the loop early cancels the call at the other end. */
  stream<Item>(body: RequestBody, options: { signal?: AbortSignal } = {}): AsyncGenerator<Item> {
    const id = this.#nextId++;
    const stream = new InboundStream({
      credit: (count) => this.send({ kind: 'stream.credit', id, count }, 'control'),
      cancel: () => {
        this.#pending.forget(id);
        this.send({ kind: 'cancel', id });
      },
    });
    if (this.#closed !== undefined || this.#isAway) {
      stream.fail(this.#lost());
    } else {
      this.#pending.add(id, stream);
      this.send({ ...body, id } as Message);
    }
    return stream.items<Item>(options.signal, aborted);
  }

  /**
   * Publish on the latest-wins lane.
   *
   * @param frame The message encoded. @default encoded now, so that the caller may reuse its buffers
   */
  latest(
    message: MessageOf<'latest'>,
    frame: Uint8Array<ArrayBuffer> = encodeFrame([message]),
  ): void {
    if (this.#closed !== undefined) return;
    this.#latest.publish(message.actor, message.slot, message.credits, frame);
    this.traffic.latestDropped = this.#latest.dropped;
  }

  /** Pass a frame on. It is given away. */
  forward(frame: Uint8Array<ArrayBuffer>, lane: Lane): void {
    if (this.#closed === undefined) this.#transmit(frame, lane);
  }

  #lost(): Error {
    return new LinkLostError(
      'E_PEER_LOST',
      `${this.name}: ${this.#closed ?? 'the link is broken'}`,
    );
  }

  #flush(): void {
    this.#flushing = false;
    for (const lane of ['control', 'call', 'object'] as const) {
      const batch = this.#outbox[lane];
      if (batch.length === 0) continue;
      this.#outbox[lane] = [];
      try {
        this.#post(batch, lane);
        this.counts.messagesOut += batch.length - 1;
      } catch {
        for (const message of batch) this.#sendAlone(message, lane);
      }
    }
  }

  /** One message of a batch cannot be sent: find it, and tell whoever waits for it. */
  #sendAlone(message: Message, lane: Lane): void {
    try {
      this.#post([message], lane);
    } catch (cause) {
      const error = cause as RuntimeError;
      const isAnswer = message.kind === 'reply' || message.kind === 'stream.item';
      if (isAnswer && error.code === 'E_ENCODE') {
        this.send({ kind: 'error', id: message.id, error: toWireError(error) });
      } else if (isRequest(message)) {
        this.#pending.fail(message.id, error);
      } else {
        // A peer that never gets an answer would wait for ever: better that it hears the link break.
        this.#break(new LinkLostError('E_PEER_LOST', `${this.name}: ${error.message}`, { cause }));
      }
    }
  }

  #break(error: RuntimeError): void {
    if (this.#closed !== undefined) return;
    const link = this.#link;
    this.#end(error);
    link?.close(error.message);
  }

  /** @throws RuntimeError `E_ENCODE`, `E_BACKPRESSURE`. */
  #post(messages: readonly Message[], lane: Lane): void {
    try {
      // Parts of stored objects go to other machines.
      this.#transmit(encodeFrame(messages, lane === 'call' ? this.#lend : undefined), lane);
      for (const { bytes } of this.#lent) this.#lentBytes += bytes;
    } catch (error) {
      if (this.#lent.length > 0) this.#lending?.unlend(this, this.#lent);
      throw error;
    } finally {
      if (this.#lent.length > 0) this.#lent = [];
    }
  }

  #lendSegment(lending: Lending, segment: Uint8Array): LentRange | undefined {
    // One that is not linked yet may turn out to be anywhere.
    const range = this.#link ? lending.lend(this, segment) : undefined;
    if (range) this.#lent.push(range);
    return range;
  }

  #transmit(bytes: Uint8Array<ArrayBuffer>, lane: Lane): void {
    if (this.#link) {
      this.#link.send(bytes, lane);
      this.counts.messagesOut++;
      this.counts.bytesOut += bytes.byteLength;
    } else if (this.#closed === undefined) {
      this.#unsent.push([bytes, lane]);
    }
  }

  #receive(frame: Uint8Array<ArrayBuffer>): void {
    this.counts.bytesIn += frame.byteLength;
    try {
      for (const message of decodeFrame(frame, this.#revive, this.#borrow)) {
        this.counts.messagesIn++;
        this.#dispatch(message, frame);
      }
    } catch (error) {
      const text = `${this.name}: ${messageOf(error)}`;
      this.#break(new RuntimeError('E_PROTOCOL', text, { cause: error }));
    }
  }

  #dispatch(message: Message, frame: Uint8Array<ArrayBuffer>): void {
    switch (message.kind) {
      case 'reply':
      case 'error':
      case 'stream.item':
      case 'stream.end':
        this.#pending.answer(message);
        return;
      case 'latest.credit':
        if (this.#events.credit) this.#events.credit(message);
        else this.#latest.credit(message.actor, message.slot);
        return;
      case 'latest':
        if (this.#events.latest) this.#events.latest(this, message, frame);
        else this.#events.message(this, message);
        return;
      default:
        this.#events.message(this, message);
    }
  }

  #lose(why: string, isMeant: boolean): void {
    const error = new LinkLostError('E_PEER_LOST', `${this.name}: ${why}`);
    if (this.#closed !== undefined || isMeant || !this.#events.interrupted?.(this, why)) {
      this.#end(error);
      return;
    }
    // What was not a request would be out of date by then, or is told again by whoever has sent it.
    this.#link = undefined;
    this.#isAway = true;
    for (const lane of lanes) this.#outbox[lane] = [];
    this.#pending.failStreams(error);
  }

  #end(error: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = error.message;
    this.#unsent = [];
    this.#pending.failAll(error);
    this.#events.closed(this, error.message);
  }
}
