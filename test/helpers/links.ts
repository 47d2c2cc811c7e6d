/** Pairs of connected links of every kind, and what arrives on them. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { WebSocket, WebSocketServer } from 'ws';
import { type Lane, type Link, memoryLink } from '../../runtime/wire/link.js';
import { PortLink } from '../../runtime/wire/port-link.js';
import { type LinkLimits, linkLimits, WebSocketLink } from '../../runtime/wire/websocket-link.js';
import { tempFolder } from './temp-folder.js';

export interface LinkPair extends AsyncDisposable {
  readonly a: Link;
  readonly b: Link;
}

export interface SocketPair extends LinkPair {
  readonly sockets: readonly [WebSocket, WebSocket];
}

export interface Received {
  /** Frames so far, oldest first. */
  readonly frames: Uint8Array[];
  readonly ends: string[];
  /** Settles with the frames when there are so many. */
  count(frames: number): Promise<readonly Uint8Array[]>;
  /** Settles when the link closed. */
  readonly closed: Promise<string>;
}

/** Opens a link and keeps what arrives. */
export function receive(link: Link): Received {
  const frames: Uint8Array[] = [];
  const ends: string[] = [];
  let onFrame: () => void = () => undefined;
  const closed = new Promise<string>((resolve) => {
    link.open({
      frame: (bytes) => {
        frames.push(bytes);
        onFrame();
      },
      closed: (why) => {
        ends.push(why);
        resolve(why);
      },
    });
  });
  const count = async (wanted: number): Promise<readonly Uint8Array[]> => {
    while (frames.length < wanted) {
      await new Promise<void>((resolve) => {
        onFrame = resolve;
      });
    }
    return frames;
  };
  return { frames, ends, count, closed };
}

export async function memoryPair(): Promise<LinkPair> {
  const [a, b] = memoryLink();
  return { a, b, [Symbol.asyncDispose]: async () => a.close('done') };
}

export async function portPair(): Promise<LinkPair> {
  const { port1, port2 } = new MessageChannel();
  const [a, b] = [new PortLink(port1), new PortLink(port2)];
  return {
    a,
    b,
    [Symbol.asyncDispose]: async () => {
      a.close('done');
      b.close('done');
    },
  };
}

export async function socketPair(
  where: 'tcp' | 'unix',
  limits: Partial<LinkLimits> = {},
): Promise<SocketPair> {
  const http = createServer();
  const server = new WebSocketServer({
    server: http,
    perMessageDeflate: false,
    maxPayload: 2 ** 20,
  });
  const path = join(tempFolder('link'), 's.sock');
  await new Promise<void>((resolve) => {
    if (where === 'unix') http.listen(path, resolve);
    else http.listen(0, '127.0.0.1', resolve);
  });
  const bound = http.address() as { readonly port: number };
  const url = where === 'unix' ? `ws+unix://${path}:/` : `ws://127.0.0.1:${bound.port}`;
  const accepted = once(server, 'connection') as Promise<[WebSocket]>;
  const dialled = new WebSocket(url, { perMessageDeflate: false, maxPayload: 2 ** 20 });
  const opened = once(dialled, 'open');
  const [other] = await accepted;
  await opened;
  const all = { ...linkLimits, ...limits };
  return {
    a: new WebSocketLink(dialled, all),
    b: new WebSocketLink(other, all),
    sockets: [dialled, other],
    [Symbol.asyncDispose]: async () => {
      dialled.terminate();
      other.terminate();
      server.close();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** A frame of `size` bytes that says who it is. */
export function frame(number: number, size = 8): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size).fill(number);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

export const numberOf = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

export const laneOfNumber = (number: number): Lane => (number % 2 === 0 ? 'call' : 'latest');
