/** The body of an HTTP request: not too long, and not for too long. */

import type { IncomingMessage } from 'node:http';
import { RuntimeError } from '../errors.js';

const maxBytes = 1024 * 1024;
const maxMs = 10_000;

export class BodyError extends RuntimeError {
  /** Of the HTTP answer. */
  readonly status: 408 | 413;

  constructor(status: 408 | 413, message: string) {
    super('E_OPTION', message);
    this.status = status;
  }
}

/** @throws BodyError if it is longer than 1 MiB, or has not arrived in time. @param withinMs @default 10_000 */
export function readBody(request: IncomingMessage, withinMs: number = maxMs): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const fail = (error: Error): void => {
      clearTimeout(timer);
      request.pause();
      request.removeAllListeners('data');
      reject(error);
    };
    const timer = setTimeout(() => {
      fail(new BodyError(408, `the body has not arrived within ${withinMs / 1000} s`));
    }, withinMs);
    request.on('data', (piece: Buffer) => {
      bytes += piece.byteLength;
      if (bytes > maxBytes) fail(new BodyError(413, `the body is longer than ${maxBytes} bytes`));
      else pieces.push(piece);
    });
    request.once('end', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(pieces).toString());
    });
    request.once('error', fail);
  });
}
