/** Endpoints with the token `secret` that answer calls with their first argument. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ActorId } from '../../runtime/ids.js';
import type { Address } from '../../runtime/wire/address.js';
import { Endpoint, type EndpointOptions } from '../../runtime/wire/endpoint.js';
import type { Message } from '../../runtime/wire/messages.js';
import type { Peer } from '../../runtime/wire/peer.js';
import type { RequestBody } from '../../runtime/wire/pending.js';
import { tempFolder } from './temp-folder.js';

export const token = 'secret';

export interface Opened extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly address: Address;
  readonly messages: Message[];
  readonly ends: string[];
  /** Settles when a peer has left. */
  left(): Promise<string>;
}

export type OpenOptions = Partial<EndpointOptions> & {
  readonly unix?: boolean;
  /** @default answers with the first argument */
  readonly answer?: (peer: Peer, message: Message) => void;
};

export async function openEndpoint(options: OpenOptions = {}): Promise<Opened> {
  const { unix = false, answer = echo, ...rest } = options;
  const messages: Message[] = [];
  const ends: string[] = [];
  let onLeft: (why: string) => void = () => undefined;
  const endpoint = new Endpoint({
    role: 'host',
    token,
    events: {
      message: (peer, message) => {
        messages.push(message);
        answer(peer, message);
      },
      left: (_, why) => {
        ends.push(why);
        onLeft(why);
      },
    },
    ...rest,
  });
  const address = await endpoint.listen({
    host: '127.0.0.1',
    port: 0,
    ...(unix ? { unix: join(tempFolder('endpoint'), 'e.sock') } : {}),
  });
  const left = (): Promise<string> =>
    ends[0] === undefined
      ? new Promise((resolve) => {
          onLeft = resolve;
        })
      : Promise.resolve(ends[0]);
  const close = (): Promise<void> => endpoint.close('done');
  return { endpoint, address, messages, ends, left, [Symbol.asyncDispose]: close };
}

function echo(peer: Peer, message: Message): void {
  if (message.kind !== 'call') return;
  peer.send({ kind: 'reply', id: message.id, value: message.args[0] ?? null });
}

export const call = (...args: readonly unknown[]): RequestBody => ({
  kind: 'call',
  actor: 'a' as ActorId,
  method: 'm',
  args,
  stream: false,
});

export const portOf = ({ url }: Address): number => Number(new URL(url).port);

/** A raw TCP connection to an endpoint. */
export async function rawSocket(address: Address): Promise<Socket> {
  const socket = connect(portOf(address), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** An upgrade request as a WebSocket client writes it. */
export const upgradeText = (headers: Readonly<Record<string, string>>): string =>
  [
    'GET / HTTP/1.1',
    'host: 127.0.0.1',
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '\r\n',
  ].join('\r\n');

/** Everything the other side says until it hangs up. */
export async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}
