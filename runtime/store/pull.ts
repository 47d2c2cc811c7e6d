/** Fetches an object from a store of another machine: in chunks, a few of them under way at once, straight to where it shall lie. */

import { LinkLostError, RuntimeError } from '../errors.js';
import type { ObjectPlace } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { MemoryRange } from '../wire/messages.js';

/** Small enough that calls on the same link get their turn, large enough that their number does not matter. */
const chunkBytes = 1024 * 1024;
/** Chunks asked for and not yet there: all that either side holds besides the object itself. */
const window = 4;

/** @throws RuntimeError `E_OBJECT_LOST` if the store, or the object in it, is gone. */
export async function pull(
  endpoint: Endpoint,
  { key, bytes, store, node }: ObjectPlace,
  into: Uint8Array,
): Promise<void> {
  const peer = endpoint.to(store);
  let next = 0;
  let isOver = false;
  const worker = async (): Promise<void> => {
    while (next < bytes) {
      const offset = next;
      const length = Math.min(chunkBytes, bytes - offset);
      next += length;
      const chunk = await peer.request<Uint8Array>({
        kind: 'store.read',
        key,
        offset,
        bytes: length,
      });
      if (!(chunk instanceof Uint8Array) || chunk.byteLength !== length) {
        throw new RuntimeError('E_PROTOCOL', `a chunk of ${length} bytes was asked of ${node}`);
      }
      // A chunk that comes after a failure must not be written to what may be somebody else's memory by now.
      if (isOver) return;
      into.set(chunk, offset);
    }
  };
  try {
    const found = await peer.request<MemoryRange>({ kind: 'store.pin', key, pid: 0 });
    try {
      if (found.bytes !== bytes) {
        throw new RuntimeError('E_PROTOCOL', `${key} has ${found.bytes} bytes, not ${bytes}`);
      }
      await Promise.all(Array.from({ length: window }, worker));
    } finally {
      peer.send({ kind: 'store.unpin', keys: [key] });
    }
  } catch (error) {
    isOver = true;
    next = bytes;
    throw lost(error, key, node);
  }
}

/** What a store that cannot be reached means for its objects. */
export function lost(error: unknown, key: string, node: string): unknown {
  if (!(error instanceof LinkLostError)) return error;
  const text = `stored object ${key}: the store of ${node} that had it is gone (${error.message})`;
  return new RuntimeError('E_OBJECT_LOST', text, { cause: error });
}
