/** The head's shell: sockets, clock and the code store around the brain. */

import { Dashboard } from '../dashboard/dashboard.js';
import { RuntimeError, toWireError } from '../errors.js';
import type { Logger } from '../log.js';
import { HeadObserver } from '../observe/head-observer.js';
import type { Address } from '../wire/address.js';
import { Endpoint } from '../wire/endpoint.js';
import type { Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import type { TlsOptions } from '../wire/tls.js';
import { type HeadEvent, step } from './brain.js';
import { HeadMemory } from './head-memory.js';
import { JobApi } from './job-api.js';
import type { Journal } from './journal.js';

export interface HeadOptions {
  /** Interface to listen on. @default '127.0.0.1' */
  readonly host?: string;
  /** 0 takes a free port. @default 7420 */
  readonly port?: number;
  readonly token: string;
  /**
   * Where the cluster is kept for the next head at this address, should this one be killed. The head closes it.
   *
   * @default none: the cluster ends with its head
   */
  readonly journal?: Journal;
  /** With `cert` and `key` everything over TCP is encrypted, and so are links between all who join. @default plain */
  readonly tls?: TlsOptions;
  readonly log: Logger;
}

export const defaultPort = 7420;
const tickMs = 1_000;

export class Head implements AsyncDisposable {
  readonly #endpoint: Endpoint;
  readonly #memory: HeadMemory;
  readonly #log: Logger;
  readonly #observer: HeadObserver;
  #ticks: NodeJS.Timeout | undefined;

  /** Settles with the reason if the head has to end by itself: `leave` it then. */
  readonly ended: Promise<RuntimeError>;

  private constructor({ token, tls, log }: HeadOptions, memory: HeadMemory) {
    this.#log = log;
    this.#memory = memory;
    const { cluster, epoch, state, lost } = memory;
    this.ended = lost;
    const self = (): Peer => this.#endpoint.to(this.#endpoint.address);
    const jobs = new JobApi(self);
    const dashboard = new Dashboard(self);
    this.#endpoint = new Endpoint({
      role: 'head',
      process: cluster,
      ...(epoch === undefined ? {} : { epoch }),
      token,
      ...(tls ? { tls } : {}),
      http: (request, response) => {
        if (jobs.serve(request, response) || dashboard.serve(request, response)) return;
        this.#observer.http(request, response);
      },
      openHttp: (request, response) => dashboard.open(request, response),
      events: {
        message: (peer, message) => this.#message(peer, message),
        joined: (_, hello) => {
          log.info({ process: hello.process }, `${hello.role} joined`);
          this.#step({ at: Date.now(), joined: hello.process });
        },
        left: (peer, why) => this.#left(peer, why),
      },
    });
    this.#observer = new HeadObserver({ state: () => state, endpoint: this.#endpoint });
  }

  /** @throws RuntimeError `E_LISTEN` if the address cannot be bound, `E_TLS` if a certificate is not to be had, `E_JOURNAL`. */
  static async start(options: HeadOptions): Promise<Head> {
    const { host = '127.0.0.1', port = defaultPort, journal } = options;
    let head: Head | undefined;
    try {
      if (options.tls && options.tls.cert === undefined) {
        throw new RuntimeError('E_TLS', 'a head that speaks TLS needs a certificate and its key');
      }
      head = new Head(options, await HeadMemory.open(journal, options.log));
      await head.#endpoint.listen({ host, port });
    } catch (error) {
      await (head ? head.#memory.release() : journal?.close());
      throw error;
    }
    head.#ticks = setInterval(() => head.#step({ at: Date.now(), tick: true }), tickMs);
    options.log.info({ url: head.address.url }, 'head listens');
    return head;
  }

  get address(): Address {
    return this.#endpoint.address;
  }

  /** Ends the cluster: everybody hears that the head will not be back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#rest();
    await this.#endpoint.close('the head stops');
    await this.#memory.forget();
  }

  /** Ends the head. A cluster that is not its own to end waits for the next one, as if this one had been killed. */
  async leave(): Promise<void> {
    this.#rest();
    await this.#endpoint.close('the head leaves', { isMeant: !this.#memory.isShared });
    await this.#memory.release();
  }

  #rest(): void {
    clearInterval(this.#ticks);
    this.#observer.close();
  }

  #message(peer: Peer, message: Message): void {
    if (this.#observer.serve(peer, message)) return;
    switch (message.kind) {
      case 'code.has':
        this.#answer(peer, message.id, () => this.#memory.codes.has(message.code));
        return;
      case 'code.put':
        this.#answer(peer, message.id, () => this.#memory.codes.put(message.code, message));
        return;
      case 'told.kept':
        this.#answer(peer, message.id, () => null);
        return;
      case 'code.get':
        this.#answer(peer, message.id, () => this.#memory.codes.get(message.code));
        return;
      default:
        this.#step({ at: Date.now(), from: peer.process, message });
    }
  }

  #left(peer: Peer, why: string): void {
    this.#observer.left(peer);
    const role = this.#endpoint.roleOf(peer);
    if (!role) return;
    this.#log.info({ peer: peer.name, why }, `${role} left`);
    this.#step({ at: Date.now(), left: peer.process, role, why });
  }

  #step(event: HeadEvent): void {
    const { effects, touched } = step(this.#memory.state, event);
    this.#memory.keep(touched);
    this.#memory.whenKept(() => {
      for (const { to, send } of effects) this.#endpoint.peers.get(to)?.send(send);
    });
    this.#observer.stepped(event, effects);
  }

  #answer(peer: Peer, id: number, body: () => unknown): void {
    try {
      const value = body() ?? null;
      this.#memory.whenKept(() => peer.send({ kind: 'reply', id, value }));
    } catch (error) {
      peer.send({ kind: 'error', id, error: toWireError(error) });
    }
  }
}
