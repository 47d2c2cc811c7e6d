/**
 * Values on the wire. Small data is msgpack; every typed array leaves a mark in it and travels beside it as a raw,
 * 8-aligned segment, so that a receiver reads it in place.
 *
 * Layout of an encoded value, little endian:
 *   u32 header bytes | u32 segment count | u32 bytes of each segment | header | pad to 8 | segment | pad to 8 | ...
 */

import { addExtension, Packr } from 'msgpackr';
import { RuntimeError } from '../errors.js';
import { ActorRef, type Address } from './address.js';

/** Turns a decoded reference into whatever stands for the actor in this process. */
export type Revive = (ref: ActorRef) => unknown;

/** What stands for an actor in this process, encoded as its reference. */
export abstract class ActorProxy {
  readonly ref: ActorRef;
  constructor(ref: ActorRef) {
    this.ref = ref;
  }
}

type View = ArrayBufferView<ArrayBufferLike> & { readonly BYTES_PER_ELEMENT: number };
type ViewClass = new (buffer: ArrayBuffer, offset: number, length: number) => View;

const viewClasses: readonly ViewClass[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
] as unknown as readonly ViewClass[];

const viewExtension = 20;
const refExtension = viewExtension + viewClasses.length;

// Encoding and decoding are synchronous, so one slot for the value under way is enough.
let outgoing: View[] = [];
let incoming: readonly Uint8Array[] = [];
let reviveNow: Revive = (ref) => ref;

viewClasses.forEach((Class, index) => {
  addExtension({
    Class: Class as never,
    type: viewExtension + index,
    write: (view: View) => outgoing.push(view) - 1,
    read: (index: number) => viewOf(Class, incoming[index]),
  });
});
const packRef = ({ actor, node, label, address }: ActorRef): unknown[] => [
  actor,
  node,
  label,
  [address.process, address.machine, address.unix, address.url],
];
const readRef = (fields: unknown): unknown => {
  const [actor, node, label, [process, machine, unix, url]] = fields as [
    ActorRef['actor'],
    ActorRef['node'],
    string,
    [Address['process'], string, string, string],
  ];
  return reviveNow(new ActorRef(actor, node, label, { process, machine, unix, url }));
};
addExtension({ Class: ActorRef as never, type: refExtension, write: packRef, read: readRef });
addExtension({
  Class: ActorProxy as never,
  type: refExtension + 1,
  write: (proxy: ActorProxy) => packRef(proxy.ref),
  read: readRef,
});
addExtension({
  Class: Map as never,
  type: refExtension + 2,
  write: (map: Map<unknown, unknown>) => [...map],
  read: (entries: [unknown, unknown][]) => new Map(entries),
});

const packr = new Packr({ useRecords: false, moreTypes: true, mapsAsObjects: true });
(packr as unknown as { writeFunction: () => never }).writeFunction = () => {
  throw new TypeError('a function');
};

const align = (offset: number): number => (offset + 7) & ~7;

/** @throws RuntimeError `E_ENCODE` naming the path of what cannot be encoded. */
export function encodeValue(value: unknown): Uint8Array<ArrayBuffer> {
  outgoing = [];
  let header: Uint8Array;
  try {
    header = packr.pack(value);
  } catch (cause) {
    throw new RuntimeError('E_ENCODE', describe(value, cause), { cause });
  }
  const segments = outgoing;
  outgoing = [];
  const table = 8 + 4 * segments.length;
  let size = align(table + header.byteLength);
  for (const segment of segments) size = align(size + segment.byteLength);
  const bytes = new Uint8Array(size);
  const words = new DataView(bytes.buffer);
  words.setUint32(0, header.byteLength, true);
  words.setUint32(4, segments.length, true);
  bytes.set(header, table);
  let offset = align(table + header.byteLength);
  segments.forEach((segment, index) => {
    words.setUint32(8 + 4 * index, segment.byteLength, true);
    bytes.set(new Uint8Array(segment.buffer, segment.byteOffset, segment.byteLength), offset);
    offset = align(offset + segment.byteLength);
  });
  return bytes;
}

/**
 * Typed arrays in the result are views on `bytes` where alignment allows, so `bytes` must not be reused.
 *
 * @throws RuntimeError `E_PROTOCOL` for anything that `encodeValue` did not write.
 */
export function decodeValue(bytes: Uint8Array, revive: Revive = (ref) => ref): unknown {
  try {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headerBytes = words.getUint32(0, true);
    const count = words.getUint32(4, true);
    const table = 8 + 4 * count;
    if (table + headerBytes > bytes.byteLength) throw new RangeError('header is cut off');
    const segments: Uint8Array[] = [];
    let offset = align(table + headerBytes);
    for (let index = 0; index < count; index++) {
      const length = words.getUint32(8 + 4 * index, true);
      if (offset + length > bytes.byteLength) throw new RangeError(`segment ${index} is cut off`);
      segments.push(bytes.subarray(offset, offset + length));
      offset = align(offset + length);
    }
    incoming = segments;
    reviveNow = revive;
    return packr.unpack(bytes.subarray(table, table + headerBytes));
  } catch (cause) {
    throw new RuntimeError('E_PROTOCOL', `not an encoded value: ${String(cause)}`, { cause });
  } finally {
    incoming = [];
    reviveNow = (ref) => ref;
  }
}

function viewOf(Class: ViewClass, segment: Uint8Array | undefined): View {
  if (!segment) throw new RangeError('a typed array without its segment');
  const width = (Class as unknown as { BYTES_PER_ELEMENT: number }).BYTES_PER_ELEMENT;
  if (segment.byteLength % width !== 0) throw new RangeError('a segment with half an element');
  const { buffer, byteOffset } =
    segment.byteOffset % width === 0 ? segment : Uint8Array.from(segment);
  return new Class(buffer as ArrayBuffer, byteOffset, segment.byteLength / width);
}

function describe(value: unknown, cause: unknown): string {
  const found = findUnencodable(value, '', new Set());
  if (found) return `${found} cannot cross the wire; send plain data, typed arrays or handles`;
  return `value cannot cross the wire: ${String(cause)}`;
}

/** Path of the first function, symbol or cycle in words, or undefined. */
function findUnencodable(value: unknown, path: string, above: Set<object>): string | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') {
    return `${path || 'the value'} is a ${typeof value} and`;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof ActorProxy || value instanceof ActorRef || ArrayBuffer.isView(value)) {
    return undefined;
  }
  if (above.has(value)) return `${path} refers back to what contains it and`;
  above.add(value);
  for (const [key, item] of Object.entries(value)) {
    const next = Array.isArray(value) ? `${path}[${key}]` : path ? `${path}.${key}` : key;
    const found = findUnencodable(item, next, above);
    if (found) return found;
  }
  above.delete(value);
  return undefined;
}

/** Bytes of the typed arrays in an encoded value, without framing. */
export function segmentBytes(bytes: Uint8Array): number {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = 0;
  for (let index = words.getUint32(4, true) - 1; index >= 0; index--) {
    sum += words.getUint32(8 + 4 * index, true);
  }
  return sum;
}
