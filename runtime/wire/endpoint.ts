/**
 * One process's end of all its links: it listens, dials, and keeps exactly one link per pair of processes. When two
 * processes dial each other at once, the one with the smaller id wins and the other waits for that link.
 */

import { rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { LinkLostError, messageOf, RuntimeError } from '../errors.js';
import { newProcessId, type ProcessId } from '../ids.js';
import type { Address } from './address.js';
import { dial, keepAliveMs } from './dial.js';
import {
  decodeHello,
  encodeHello,
  type Hello,
  helloHeader,
  tokenMatches,
  welcomeHeader,
} from './handshake.js';
import { guardHttp, type HttpHandler, type OpenHttpHandler } from './http.js';
import type { Lending } from './lending.js';
import { memoryLoop } from './link.js';
import { authenticated, Listener, refuse } from './listener.js';
import type { Message, MessageOf, Role } from './messages.js';
import { Peer, type PeerEvents } from './peer.js';
import { type Reconnect, redial } from './redial.js';
import { Tls, type TlsOptions } from './tls.js';
import type { Revive } from './value.js';
import { type LinkLimits, linkLimits, WebSocketLink } from './websocket-link.js';

export interface EndpointEvents {
  message(peer: Peer, message: Message): void;
  /** With the frame it came in, to be passed on as it is. @default `message` */
  latest?(peer: Peer, message: MessageOf<'latest'>, frame: Uint8Array<ArrayBuffer>): void;
  /** A process has dialled in. */
  joined?(peer: Peer, hello: Hello): void;
  left?(peer: Peer, why: string): void;
}

export interface EndpointOptions {
  readonly role: Role;
  /** @default a new one */
  readonly process?: ProcessId;
  /** Of a head that will be back if it dies: how often it has started. */
  readonly epoch?: number;
  readonly token: string;
  readonly events: EndpointEvents;
  /** What stands for an actor reference that arrives over `peer`. */
  readonly revive?: (peer: Peer) => Revive;
  readonly limits?: Partial<LinkLimits>;
  /** Sockets that may be open without a finished handshake. @default 64 */
  readonly maxUnauthenticated?: number;
  /** A handshake must finish within this. @default 5_000 */
  readonly handshakeMs?: number;
  /** Answers plain HTTP requests that show the token. @default none is answered */
  readonly http?: HttpHandler;
  /** Answers plain HTTP requests of anybody. @default none */
  readonly openHttp?: OpenHttpHandler;
  /** Lends memory to processes of this machine for large segments of messages. @default all go over the link */
  readonly lending?: (endpoint: Endpoint) => Lending;
  /** Encrypt links over TCP, and dial none that are not. @default plain */
  readonly tls?: TlsOptions;
}

/**
 * Machines are told apart by name: containers that share a kernel do not share a Unix socket's folder. Where the same name
 * means different machines, or one machine shall be taken for several, PATCHBAY_MACHINE says so.
 */
export const machine: string = process.env['PATCHBAY_MACHINE'] || hostname();

export class Endpoint {
  readonly hello: Hello;
  readonly limits: LinkLimits;
  readonly #options: EndpointOptions;
  readonly #peers = new Map<ProcessId, Peer>();
  readonly #hellos = new Map<Peer, Hello>();
  readonly #dialling = new Set<ProcessId>();
  readonly #redials = new Set<AbortController>();
  readonly #listener: Listener;
  readonly #lending: Lending | undefined;
  readonly #tls: Tls | undefined;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 1024 * 1024,
  });
  #address: Address | undefined;
  #closed = false;

  /** @throws RuntimeError `E_TLS` if a certificate is not to be had. */
  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#tls = options.tls && new Tls(options.tls, options.token);
    this.limits = { ...linkLimits, ...options.limits };
    const { role, process = newProcessId(), epoch } = options;
    this.hello = { process, role, machine, ...(epoch === undefined ? {} : { epoch }) };
    this.#listener = new Listener({
      maxUnauthenticated: options.maxUnauthenticated ?? 64,
      handshakeMs: options.handshakeMs ?? 5_000,
      request: guardHttp(options.token, options.http, options.openHttp),
      ...(this.#tls ? { tls: this.#tls.server() } : {}),
      upgrade: (request, socket, head) => this.#upgrade(request, socket, head),
    });
    this.#lending = options.lending?.(this);
    this.#sockets.on('headers', (headers) => {
      headers.push(`${welcomeHeader}: ${encodeHello(this.hello)}`);
    });
  }

  get process(): ProcessId {
    return this.hello.process;
  }

  /** Only after `listen`. */
  get address(): Address {
    if (!this.#address) throw new RuntimeError('E_CLOSED', 'this process does not listen');
    return this.#address;
  }

  get peers(): ReadonlyMap<ProcessId, Peer> {
    return this.#peers;
  }

  roleOf(peer: Peer): Role | undefined {
    return this.#hellos.get(peer)?.role;
  }

  /** Whether a peer is another process of this machine, as far as names tell. */
  isNear(peer: Peer): boolean {
    return this.#hellos.get(peer)?.machine === machine;
  }

  /**
   * @param options `port` 0 takes a free one; `unix` is a path in a folder that is there.
   * @throws RuntimeError `E_LISTEN` if the address cannot be bound, `E_TOKEN` if the token is empty.
   */
  async listen(options: { host: string; port: number; unix?: string }): Promise<Address> {
    const { host, port, unix } = options;
    if (this.#options.token === '') {
      throw new RuntimeError('E_TOKEN', 'without a token there is nobody whom to listen to');
    }
    const boundPort = await this.#listener.bind({ host, port });
    if (unix) {
      rmSync(unix, { force: true });
      await this.#listener.bind({ path: unix });
    }
    const shown = host.includes(':') ? `[${host}]` : host;
    this.#address = {
      process: this.process,
      machine,
      unix: unix ?? '',
      url: `${this.#tls?.scheme ?? 'ws:'}//${shown}:${boundPort}`,
    };
    return this.#address;
  }

  /**
   * The peer at an address, dialled on first use: messages may be sent at once and wait for the link. If there is no
   * link in the end, the peer closes with the reason.
   */
  to(address: Address): Peer {
    const known = this.#peers.get(address.process);
    if (known) return known;
    const peer = this.#newPeer(address.process, 'host');
    if (this.#closed) {
      peer.fail(new LinkLostError('E_CLOSED', 'this process has left the cluster'));
    } else if (address.process === this.process) peer.attach(memoryLoop());
    else void this.#dialUntilLinked(address, peer);
    return peer;
  }

  /**
   * Dial somebody whose process id is not known yet.
   *
   * @param reconnect Wait for a head that says that it will be back.
   * @throws RuntimeError `E_UNREACHABLE`, `E_TOKEN` or `E_PROTOCOL`.
   */
  async connect(url: string, reconnect?: Reconnect): Promise<Peer> {
    const { socket, hello } = reconnect?.isExpected
      ? await this.#search(url, undefined, reconnect, 'no head yet')
      : await this.#dial(url);
    const returns = reconnect && reconnect.timeoutMs > 0 && hello.epoch !== undefined;
    const interrupted = (peer: Peer, why: string): boolean => {
      if (returns && !this.#closed) void this.#redial(url, peer, reconnect, why);
      return returns === true && !this.#closed;
    };
    const peer = this.#newPeer(hello.process, hello.role, returns ? { interrupted } : {});
    this.#hellos.set(peer, hello);
    peer.attach(this.#link(socket, hello), reconnect?.greeting?.());
    return peer;
  }

  /** Until a restarted head answers, or the peer closes with why there will be none. */
  async #redial(url: string, peer: Peer, reconnect: Reconnect, why: string): Promise<void> {
    try {
      const known = this.#hellos.get(peer);
      const { socket, hello } = await this.#search(url, known, reconnect, why);
      this.#hellos.set(peer, hello);
      peer.attach(this.#link(socket, hello), reconnect.greeting?.());
    } catch (error) {
      peer.fail(new LinkLostError('E_PEER_LOST', `${peer.name}: ${messageOf(error)}`));
    }
  }

  async #search(
    url: string,
    known: Hello | undefined,
    { timeoutMs }: Reconnect,
    why: string,
  ): ReturnType<typeof dial> {
    const stop = new AbortController();
    this.#redials.add(stop);
    try {
      return await redial({
        url,
        dial: () => this.#dial(url),
        known,
        timeoutMs,
        why,
        signal: stop.signal,
      });
    } finally {
      this.#redials.delete(stop);
    }
  }

  /** @param options Unless it is meant, whoever waits for heads that are killed waits for another. */
  async close(why = 'closed', { isMeant = true }: { isMeant?: boolean } = {}): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const redial of this.#redials) redial.abort();
    for (const peer of [...this.#peers.values()]) peer.close(why, isMeant);
    this.#lending?.close();
    await this.#listener.close();
    this.#sockets.close();
    if (this.#address?.unix) rmSync(this.#address.unix, { force: true });
  }

  #newPeer(process: ProcessId, role: Role, more: Pick<PeerEvents, 'interrupted'> = {}): Peer {
    const { events } = this.#options;
    const peer = new Peer(
      process,
      `${role} ${process}`,
      {
        message: (from, message) => {
          if (!this.#serveLending(from, message)) events.message(from, message);
        },
        ...(events.latest ? { latest: events.latest } : {}),
        ...more,
        closed: (from, why) => {
          if (this.#peers.get(process) === from) this.#peers.delete(process);
          events.left?.(from, why);
          this.#lending?.left(from);
          this.#hellos.delete(from);
        },
      },
      (from) => this.#options.revive?.(from) ?? ((ref) => ref),
      {
        // Answers to an earlier head are not taken for answers to this one.
        firstId: 1 + (this.hello.epoch ?? 0) * 2 ** 32,
        ...(this.#lending ? { lending: this.#lending } : {}),
      },
    );
    this.#peers.set(process, peer);
    return peer;
  }

  #serveLending(from: Peer, message: Message): boolean {
    if (this.#lending?.serve(from, message)) return true;
    if (message.kind !== 'lent.offer') return message.kind === 'lent.back';
    // A process that borrows nothing says so.
    from.send({ kind: 'reply', id: message.id, value: null });
    return true;
  }

  /**
   * A driver runs its user's code on the thread of its links, and may be silent for as long as that takes, or stand in a
   * debugger. If its machine is gone, TCP finds out.
   */
  #link(socket: WebSocket, { role }: Hello): WebSocketLink {
    const patience = role === 'driver' ? { silentPings: Number.POSITIVE_INFINITY } : {};
    return new WebSocketLink(socket, { ...this.limits, ...patience });
  }

  #dial(url: string): ReturnType<typeof dial> {
    return dial(url, this.#options.token, this.hello, this.#tls);
  }

  /** Refused as a duplicate, the other side is dialling us: its link arrives, or we try again. */
  async #dialUntilLinked(address: Address, peer: Peer): Promise<void> {
    const urls = address.machine === machine && address.unix ? [`ws+unix://${address.unix}:/`] : [];
    urls.push(address.url);
    let failure = new RuntimeError('E_UNREACHABLE', `${peer.name} has no address`);
    for (let attempt = 0; attempt < 40 && !peer.linked && !peer.closed; attempt++) {
      this.#dialling.add(address.process);
      try {
        const url = urls[Math.min(attempt, urls.length - 1)]!;
        const { socket, hello } = await this.#dial(url);
        this.#dialling.delete(address.process);
        if (hello.process !== address.process) {
          socket.terminate();
          const text = `${peer.name} is gone; at ${url} there is another process now`;
          throw new RuntimeError('E_UNREACHABLE', text);
        }
        if (peer.linked || peer.closed) {
          socket.terminate();
        } else {
          this.#hellos.set(peer, hello);
          peer.attach(this.#link(socket, hello));
        }
        return;
      } catch (cause) {
        this.#dialling.delete(address.process);
        failure = cause as RuntimeError;
        const duplicate = failure.code === 'E_LISTEN';
        if (!duplicate && attempt >= urls.length - 1) break;
        if (duplicate) await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
    if (peer.linked) return;
    peer.fail(new LinkLostError(failure.code, failure.message, { cause: failure }));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!tokenMatches(request.headers, this.#options.token)) {
      refuse(socket, '401 Unauthorized', 'wrong token');
      return;
    }
    const hello = decodeHello(request.headers[helloHeader]);
    if (typeof hello === 'string') {
      refuse(socket, '400 Bad Request', hello);
      return;
    }
    const known = this.#peers.get(hello.process);
    const oursWins = this.#dialling.has(hello.process) && this.process < hello.process;
    if (this.#closed || known?.linked || oursWins) {
      refuse(socket, '409 Conflict', 'this pair of processes has a link already');
      return;
    }
    authenticated(socket);
    if (socket instanceof Socket) socket.setKeepAlive(true, keepAliveMs);
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#accept(webSocket, hello);
    });
  }

  #accept(socket: WebSocket, hello: Hello): void {
    const known = this.#peers.get(hello.process);
    const peer = known && !known.linked ? known : this.#newPeer(hello.process, hello.role);
    this.#hellos.set(peer, hello);
    peer.attach(this.#link(socket, hello));
    this.#options.events.joined?.(peer, hello);
  }
}
