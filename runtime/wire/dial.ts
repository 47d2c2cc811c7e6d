/** Opens a WebSocket to another process and learns who answers. */

import { WebSocket } from 'ws';
import { messageOf, RuntimeError } from '../errors.js';
import {
  bearer,
  decodeHello,
  encodeHello,
  type Hello,
  helloHeader,
  welcomeHeader,
} from './handshake.js';
import type { Tls } from './tls.js';
import { tlsFailure } from './tls-failure.js';

/** A connection on which nothing comes is probed by TCP after so long. */
export const keepAliveMs = 5_000;

/**
 * @param url `ws://host:port`, `wss://host:port`, `wss+token://host:port`, or `ws+unix:///path:/`.
 * @throws RuntimeError `E_UNREACHABLE` if nobody answers, `E_TLS` if it is not believed, `E_TOKEN` if the token is
 * refused, `E_PROTOCOL` if the versions do not overlap, `E_LISTEN` if the pair has a link already.
 */
export function dial(
  url: string,
  token: string,
  hello: Hello,
  tls?: Tls,
): Promise<{ readonly socket: WebSocket; readonly hello: Hello }> {
  return new Promise((resolve, reject) => {
    let socket: WebSocket;
    try {
      const dialled = tls?.dial(url) ?? { url, options: {} };
      socket = new WebSocket(dialled.url, {
        ...dialled.options,
        perMessageDeflate: false,
        maxPayload: 1024 * 1024,
        handshakeTimeout: 5_000,
        skipUTF8Validation: true,
        // Masks protect proxies from hostile browser scripts. Between our own processes, behind a token, a zero mask
        // is a legal frame that costs neither side a pass over the data.
        generateMask: (mask) => mask.fill(0),
        headers: { authorization: bearer(token), [helloHeader]: encodeHello(hello) },
      });
    } catch (cause) {
      const unreachable = new RuntimeError('E_UNREACHABLE', `${url}: ${messageOf(cause)}`, {
        cause,
      });
      reject(cause instanceof RuntimeError ? cause : unreachable);
      return;
    }
    let welcome: Hello | string = 'no welcome';
    const fail = (error: RuntimeError): void => {
      socket.on('error', () => undefined);
      socket.terminate();
      reject(error);
    };
    socket.once('upgrade', (response) => {
      welcome = decodeHello(response.headers[welcomeHeader]);
      response.socket.setKeepAlive(true, keepAliveMs);
    });
    socket.once('unexpected-response', (_, response) => {
      response.resume();
      fail(refusal(url, response.statusCode ?? 0));
    });
    socket.once('error', (cause) => {
      const text = `no cluster at ${url}: ${messageOf(cause)}`;
      const unreachable = new RuntimeError('E_UNREACHABLE', text, { cause });
      void tlsFailure(url, cause).then((failure) => fail(failure ?? unreachable));
    });
    socket.once('open', () => {
      socket.removeAllListeners('error');
      socket.pause();
      if (typeof welcome === 'string') {
        fail(new RuntimeError('E_PROTOCOL', `${url} is not a patchbay process: ${welcome}`));
      } else {
        resolve({ socket, hello: welcome });
      }
    });
  });
}

function refusal(url: string, status: number): RuntimeError {
  switch (status) {
    case 401:
      return new RuntimeError(
        'E_TOKEN',
        `${url} refused the token; give the one of its head (--token-file or PATCHBAY_TOKEN)`,
      );
    case 409:
      return new RuntimeError('E_LISTEN', `${url}: this pair of processes has a link already`);
    case 502:
    case 503:
    case 504:
      // So says a proxy of a head that is not there.
      return new RuntimeError('E_UNREACHABLE', `${url} answered with status ${status}`);
    default:
      return new RuntimeError('E_PROTOCOL', `${url} answered with status ${status}`);
  }
}
