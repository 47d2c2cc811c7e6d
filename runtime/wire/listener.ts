/** Accepts connections for an endpoint: few that have not shown a token yet, and none of those for long. */

import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { messageOf, RuntimeError } from '../errors.js';
import type { HttpHandler } from './http.js';

export interface ListenerOptions {
  /** Sockets that may be open without a finished handshake. */
  readonly maxUnauthenticated: number;
  /** A handshake must finish within this. */
  readonly handshakeMs: number;
  /** Requests that are no handshake. */
  readonly request: HttpHandler;
  /** Encrypts what comes over TCP. @default plain */
  readonly tls?: ServerOptions;
  /** Settles the handshake: `refuse` it, or call `authenticated` and take the socket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #servers: Server[] = [];
  /** Who has not finished a handshake. */
  readonly #strangers = new Set<Duplex>();
  #unauthenticated = 0;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /**
   * @returns The port; 0 for a path.
   * @throws RuntimeError `E_LISTEN` if the address cannot be bound.
   */
  bind(where: { host: string; port: number } | { path: string }): Promise<number> {
    const server = 'path' in where ? this.#plain() : (this.#encrypted() ?? this.#plain());
    server.on('upgrade', (request, socket, head) => {
      // The server has let go of the socket: without a listener, a caller who hangs up now would end this process.
      socket.on('error', () => socket.destroy());
      this.#options.upgrade(request, socket, head);
    });
    return new Promise((resolve, reject) => {
      const place = 'path' in where ? where.path : `${where.host}:${where.port}`;
      server.on('error', (cause) => {
        const text = `cannot listen on ${place}: ${messageOf(cause)}`;
        reject(new RuntimeError('E_LISTEN', text, { cause }));
      });
      server.listen(where, () => {
        this.#servers.push(server);
        const bound = server.address() as AddressInfo | string;
        resolve(typeof bound === 'object' ? bound.port : 0);
      });
    });
  }

  async close(): Promise<void> {
    const closing = this.#servers.map((server) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    });
    for (const socket of this.#strangers) socket.destroy();
    await Promise.all(closing);
  }

  #plain(): Server {
    const server = createServer((request, response) => this.#options.request(request, response));
    server.on('connection', (socket) => this.#watch(socket));
    return server;
  }

  /** A caller has one time for both handshakes: that of TLS and ours. */
  #encrypted(): Server | undefined {
    const { tls, request } = this.#options;
    if (!tls) return undefined;
    const server = createTlsServer(tls, (incoming, response) => request(incoming, response));
    const strangers = new Map<string, Socket>();
    server.on('connection', (socket: Socket) => {
      const caller = callerOf(socket);
      strangers.set(caller, socket);
      socket.once('close', () => strangers.delete(caller));
      this.#watch(socket);
    });
    server.on('secureConnection', (socket) => {
      const raw = strangers.get(callerOf(socket));
      socket.once(authenticatedEvent, () => raw?.emit(authenticatedEvent));
    });
    return server;
  }

  #watch(socket: Duplex): void {
    this.#strangers.add(socket);
    const { maxUnauthenticated, handshakeMs } = this.#options;
    this.#unauthenticated++;
    const timer = setTimeout(() => socket.destroy(), handshakeMs);
    let counted = true;
    const done = (): void => {
      clearTimeout(timer);
      this.#strangers.delete(socket);
      if (counted) this.#unauthenticated--;
      counted = false;
    };
    socket.once(authenticatedEvent, done);
    socket.once('close', done);
    if (this.#unauthenticated > maxUnauthenticated) socket.destroy();
  }
}

/** A socket and the one beneath it have the same. */
const callerOf = ({ remoteAddress, remotePort }: Socket): string =>
  `${remoteAddress} ${remotePort}`;

const authenticatedEvent = 'authenticated';

/** The handshake is good: the socket no longer counts as a stranger's. */
export const authenticated = (socket: Duplex): void => {
  socket.emit(authenticatedEvent);
};

export const refuse = (socket: Duplex, status: string, why: string): void => {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n${why}\n`);
};
