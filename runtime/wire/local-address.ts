/** This machine's address as seen on the way to a head: where its actors are reached by other nodes. */

import { connect } from 'node:net';
import { messageOf, RuntimeError } from '../errors.js';

/** @throws RuntimeError `E_UNREACHABLE` if nothing answers there, `E_OPTION` if it is no URL. */
export async function localAddressTowards(url: string): Promise<string> {
  if (!URL.canParse(url)) {
    throw new RuntimeError('E_OPTION', `address ${url} is not of the form ws://host:port`);
  }
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const standard = protocol === 'wss:' ? 443 : 80;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: port === '' ? standard : Number(port), timeout: 5_000 });
    const fail = (why: string): void => {
      socket.destroy();
      reject(new RuntimeError('E_UNREACHABLE', `no cluster at ${url}: ${why}`));
    };
    socket.once('connect', () => {
      resolve(socket.localAddress ?? '127.0.0.1');
      socket.destroy();
    });
    socket.once('timeout', () => fail('no answer within 5 s'));
    socket.once('error', (error) => fail(messageOf(error)));
  });
}
