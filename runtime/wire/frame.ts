/** A frame is one encoded batch of messages. */

import { RuntimeError } from '../errors.js';
import type { Borrow, Lend } from './lending.js';
import type { Message } from './messages.js';
import { fromPositional, toPositional } from './shapes.js';
import { decodeValue, encodeValue, type Revive } from './value.js';

/** @throws RuntimeError `E_ENCODE` naming the path of a value that cannot be encoded. */
export const encodeFrame = (messages: readonly Message[], lend?: Lend): Uint8Array<ArrayBuffer> =>
  encodeValue(messages.map(toPositional), messages.length === 1 ? messages[0] : messages, lend);

/** @throws RuntimeError `E_PROTOCOL` if the bytes are not a batch of known messages. */
export function decodeFrame(
  bytes: Uint8Array,
  revive?: Revive,
  borrow?: Borrow,
): readonly Message[] {
  const rows = decodeValue(bytes, revive, borrow);
  if (!Array.isArray(rows)) throw new RuntimeError('E_PROTOCOL', 'a frame that is not a batch');
  return rows.map((row) => {
    const message = fromPositional(row);
    if (typeof message === 'string') throw new RuntimeError('E_PROTOCOL', message);
    return message;
  });
}
