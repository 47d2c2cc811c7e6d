/**
 * A value as it lies in shared memory, to be read in place by any process of the machine.
 *
 * Layout, little endian:
 *   u32 header bytes | u32 segment count | for each segment f64 offset, f64 bytes | header | segments, each at a multiple of 64
 */

import { RuntimeError } from '../errors.js';
import { type PackedValue, type Revive, unpackValue } from '../wire/value.js';

/** Values with typed arrays of so many bytes together are stored; smaller ones travel inline. */
export const largeBytes: number = 100 * 1024;

/** A cache line, and what vector instructions like. */
const alignment = 64;
const align = (offset: number): number => Math.ceil(offset / alignment) * alignment;

/** Parts of a value that are looked at before it is taken for a small one: looking must cost less than sending. */
const maxLooked = 1_000;

/** Whether the typed arrays in a value are large together. */
export function isLarge(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const waiting: object[] = [value];
  let bytes = 0;
  for (let looked = 0; looked < maxLooked; looked++) {
    const next = waiting.pop();
    if (!next) break;
    if (ArrayBuffer.isView(next)) {
      bytes += next.byteLength;
      if (bytes >= largeBytes) return true;
      continue;
    }
    for (const part of partsOf(next)) {
      if (typeof part === 'object' && part !== null) waiting.push(part);
      if (waiting.length > maxLooked) break;
    }
  }
  return false;
}

function partsOf(value: object): Iterable<unknown> {
  if (Array.isArray(value)) return value;
  if (value instanceof Map || value instanceof Set) return value.values();
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.values(value) : [];
}

interface Layout {
  readonly bytes: number;
  readonly offsets: readonly number[];
}

/** Where the parts go. */
export function layoutOf({ header, segments }: PackedValue): Layout {
  let bytes = align(8 + 16 * segments.length + header.byteLength);
  const offsets = segments.map(({ byteLength }) => {
    const offset = bytes;
    bytes = align(bytes + byteLength);
    return offset;
  });
  return { bytes, offsets };
}

/**
 * @param into At least `layout.bytes`.
 * @param inPlace The segments are where they belong already.
 */
export function writeValue(
  { header, segments }: PackedValue,
  { offsets }: Pick<Layout, 'offsets'>,
  into: ArrayBuffer,
  inPlace = false,
): void {
  const words = new DataView(into);
  const bytes = new Uint8Array(into);
  words.setUint32(0, header.byteLength, true);
  words.setUint32(4, segments.length, true);
  segments.forEach((segment, index) => {
    words.setFloat64(8 + 16 * index, offsets[index]!, true);
    words.setFloat64(16 + 16 * index, segment.byteLength, true);
    if (inPlace) return;
    const { buffer, byteOffset, byteLength } = segment;
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), offsets[index]!);
  });
  bytes.set(header, 8 + 16 * segments.length);
}

/**
 * Typed arrays of the value are views of `from`.
 *
 * @throws RuntimeError `E_PROTOCOL` for anything that `writeValue` did not write.
 */
export function readValue(from: ArrayBuffer, revive: Revive): unknown {
  try {
    const words = new DataView(from);
    const headerBytes = words.getUint32(0, true);
    const count = words.getUint32(4, true);
    const table = 8 + 16 * count;
    const segments: Uint8Array[] = [];
    for (let index = 0; index < count; index++) {
      const offset = words.getFloat64(8 + 16 * index, true);
      segments.push(new Uint8Array(from, offset, words.getFloat64(16 + 16 * index, true)));
    }
    // Strings of the header may be read late, and the header is small.
    return unpackValue(new Uint8Array(from, table, headerBytes).slice(), segments, revive);
  } catch (cause) {
    throw new RuntimeError('E_PROTOCOL', `not a stored value: ${String(cause)}`, { cause });
  }
}
