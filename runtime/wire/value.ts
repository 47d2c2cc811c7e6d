/**
 * Values on the wire. Small data is msgpack; every typed array leaves a mark in it and travels beside it as a raw,
 * 8-aligned segment, so that a receiver reads it in place.
 *
 * Layout of an encoded value, little endian:
 *   u32 header bytes | u32 segment count | u32 bytes of each segment | header | pad to 8 | segment | pad to 8 | ...
 *
 * A segment that was lent is not there itself: the highest bit of its bytes is set, and f64 offset, f64 bytes stand for it.
 */

import { addExtension, Packr } from 'msgpackr';
import { RuntimeError } from '../errors.js';
import { ActorRef, type Address, ObjectLocator, ObjectPlace } from './address.js';
import { type Borrow, type Lend, type LentRange, lentFrom } from './lending.js';
import { MapEntries, withEntries } from './map-entries.js';
import { newFrame } from './memory.js';
import { findUnencodable } from './unencodable.js';

/** Turns a decoded reference into whatever stands for the actor in this process. */
export type Revive = (ref: ActorRef | ObjectLocator) => unknown;

/** What stands for an actor in this process, encoded as its reference. */
export abstract class ActorProxy {
  readonly ref: ActorRef;
  constructor(ref: ActorRef) {
    this.ref = ref;
  }
}

/** Something that is encoded as the place of an object. */
export abstract class Exportable {
  abstract locate(): ObjectLocator;
}

type View = ArrayBufferView<ArrayBufferLike> & { readonly BYTES_PER_ELEMENT: number };
interface ViewClass {
  new (buffer: ArrayBuffer, offset: number, length: number): View;
  readonly BYTES_PER_ELEMENT: number;
}

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
];

const viewExtension = 20;
const refExtension = viewExtension + viewClasses.length;

// Encoding and decoding are synchronous, so one slot for the value under way is enough.
let outgoing: View[] = [];
let exported: Exportable[] = [];
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
const packRef = ({ actor, node, label, address, taskRetries }: ActorRef): unknown[] => [
  actor,
  node,
  label,
  [address.process, address.machine, address.unix, address.url],
  taskRetries,
];
const readRef = (fields: unknown): unknown => {
  const [actor, node, label, [process, machine, unix, url], taskRetries] = fields as [
    ActorRef['actor'],
    ActorRef['node'],
    string,
    [Address['process'], string, string, string],
    number,
  ];
  const address = { process, machine, unix, url };
  return reviveNow(new ActorRef(actor, node, label, address, taskRetries));
};
addExtension({ Class: ActorRef as never, type: refExtension, write: packRef, read: readRef });
addExtension({
  Class: ActorProxy as never,
  type: refExtension + 1,
  write: (proxy: ActorProxy) => packRef(proxy.ref),
  read: readRef,
});
const packLocator = ({ id, owner, place }: ObjectLocator): unknown[] => [
  id,
  [owner.process, owner.machine, owner.unix, owner.url],
  place,
];
const readLocator = (fields: unknown): unknown => {
  const [id, [process, machine, unix, url], place] = fields as [
    string,
    [Address['process'], string, string, string],
    ObjectPlace | undefined,
  ];
  return reviveNow(new ObjectLocator(id, { process, machine, unix, url }, place));
};
addExtension({
  Class: ObjectPlace as never,
  type: refExtension + 6,
  write: ({ key, bytes, node, store, nodeId }: ObjectPlace) => [
    key,
    bytes,
    node,
    [store.process, store.machine, store.unix, store.url],
    nodeId,
  ],
  read: (fields: unknown) => {
    const [key, bytes, node, [process, machine, unix, url], nodeId] = fields as [
      string,
      number,
      string,
      [Address['process'], string, string, string],
      ObjectPlace['nodeId'],
    ];
    return new ObjectPlace(key, bytes, node, { process, machine, unix, url }, nodeId);
  },
});
addExtension({
  Class: ObjectLocator as never,
  type: refExtension + 4,
  write: packLocator,
  read: readLocator,
});
addExtension({
  Class: Exportable as never,
  type: refExtension + 5,
  write: (object: Exportable) => {
    exported.push(object);
    return packLocator(object.locate());
  },
  read: readLocator,
});
addExtension({
  Class: MapEntries as never,
  type: refExtension + 2,
  write: ({ entries }: MapEntries) => entries,
  read: (entries: [unknown, unknown][]) => new Map(entries),
});
addExtension({
  Class: Promise as never,
  type: refExtension + 3,
  write: () => {
    throw new TypeError('a promise');
  },
  read: () => undefined,
});

let mapMet = false;
const packr = new Packr({ useRecords: false, moreTypes: true, mapsAsObjects: true });
Object.defineProperties(packr, {
  writeFunction: {
    value: () => {
      throw new TypeError('a function');
    },
  },
  // Asked for each Map, and for nothing else: what this pass writes is thrown away.
  mapAsEmptyObject: {
    get: () => {
      mapMet = true;
      return true;
    },
  },
});

/** Neither looked into nor copied. */
const isWhole = (value: object): boolean =>
  value instanceof ActorProxy ||
  value instanceof ActorRef ||
  value instanceof Exportable ||
  value instanceof ObjectLocator ||
  value instanceof ObjectPlace ||
  ArrayBuffer.isView(value);

/** A value in parts: msgpack with marks in it, and the typed arrays that the marks stand for. */
export interface PackedValue {
  readonly header: Uint8Array;
  readonly segments: readonly View[];
  /** What travels as a place: it must live as long as the value may be read. */
  readonly exported: readonly Exportable[];
}

function pack(value: unknown): PackedValue {
  outgoing = [];
  exported = [];
  mapMet = false;
  try {
    const header = packr.pack(value);
    return { header, segments: outgoing, exported };
  } finally {
    outgoing = [];
    exported = [];
  }
}

/** @throws RuntimeError `E_ENCODE` naming the path of what cannot be encoded. */
export function packValue(value: unknown, named: unknown = value): PackedValue {
  try {
    const packed = pack(value);
    return mapMet ? pack(withEntries(value, isWhole)) : packed;
  } catch (cause) {
    throw new RuntimeError('E_ENCODE', describe(named, cause), { cause });
  }
}

/** @throws Error if the parts are not those of one value. */
export function unpackValue(
  header: Uint8Array,
  segments: readonly Uint8Array[],
  revive: Revive,
): unknown {
  incoming = segments;
  reviveNow = revive;
  try {
    return packr.unpack(header);
  } finally {
    incoming = [];
    reviveNow = (ref) => ref;
  }
}

const align = (offset: number): number => (offset + 7) & ~7;

/** In the table of a frame: what follows is not the segment but where it was lent. */
const lentMark = 0x8000_0000;
const lentBytes = 16;

/**
 * @param named What error texts take paths from, if `value` itself would give strange ones.
 * @param lend Takes large segments out of it. @default all stay in it
 * @throws RuntimeError `E_ENCODE` naming the path of what cannot be encoded.
 */
export function encodeValue(
  value: unknown,
  named: unknown = value,
  lend?: Lend,
): Uint8Array<ArrayBuffer> {
  const { header, segments } = packValue(value, named);
  const table = 8 + 4 * segments.length;
  let size = align(table + header.byteLength);
  const lent = lend && lendLarge(segments, lend);
  const partOf = (index: number): View => lent?.get(index) ?? segments[index]!;
  segments.forEach((_, index) => {
    size = align(size + partOf(index).byteLength);
  });
  const bytes = newFrame(size);
  const words = new DataView(bytes.buffer, bytes.byteOffset);
  words.setUint32(0, header.byteLength, true);
  words.setUint32(4, segments.length, true);
  bytes.set(header, table);
  let offset = padded(bytes, table + header.byteLength);
  segments.forEach((_, index) => {
    const part = bytesOf(partOf(index));
    const mark = lent?.has(index) ? lentMark : 0;
    words.setUint32(8 + 4 * index, part.byteLength + mark, true);
    bytes.set(part, offset);
    offset = padded(bytes, offset + part.byteLength);
  });
  return bytes;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: View): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** What stands in the frame for each segment that was lent, by its place; undefined if none was. */
function lendLarge(segments: readonly View[], lend: Lend): Map<number, View> | undefined {
  let lent: Map<number, View> | undefined;
  segments.forEach((segment, index) => {
    if (segment.byteLength < lentFrom) return;
    const range = lend(bytesOf(segment));
    if (!range) return;
    lent ??= new Map();
    lent.set(index, Float64Array.of(range.offset, range.bytes));
  });
  return lent;
}

/** The next aligned offset; what is skipped is zeroed, lest it tell what was in memory before. */
function padded(bytes: Uint8Array, offset: number): number {
  const next = align(offset);
  bytes.fill(0, offset, next);
  return next;
}

/**
 * Typed arrays in the result are views on `bytes` where alignment allows, so `bytes` must not be reused.
 *
 * @param borrow Finds segments that were lent. @default there are none
 * @throws RuntimeError `E_PROTOCOL` for anything that `encodeValue` did not write.
 */
export function decodeValue(
  bytes: Uint8Array,
  revive: Revive = (ref) => ref,
  borrow?: Borrow,
): unknown {
  try {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headerBytes = words.getUint32(0, true);
    const count = words.getUint32(4, true);
    const table = 8 + 4 * count;
    if (table + headerBytes > bytes.byteLength) throw new RangeError('header is cut off');
    const segments: Uint8Array[] = [];
    let offset = align(table + headerBytes);
    for (let index = 0; index < count; index++) {
      const word = words.getUint32(8 + 4 * index, true);
      const isLent = word >= lentMark;
      const length = isLent ? word - lentMark : word;
      if (offset + length > bytes.byteLength) throw new RangeError(`segment ${index} is cut off`);
      const segment = bytes.subarray(offset, offset + length);
      segments.push(isLent ? borrowed(segment, borrow) : segment);
      offset = align(offset + length);
    }
    return unpackValue(bytes.subarray(table, table + headerBytes), segments, revive);
  } catch (cause) {
    throw new RuntimeError('E_PROTOCOL', `not an encoded value: ${String(cause)}`, { cause });
  }
}

function borrowed(part: Uint8Array, borrow: Borrow | undefined): Uint8Array {
  if (!borrow || part.byteLength !== lentBytes) throw new RangeError('a segment was not lent here');
  const words = new DataView(part.buffer, part.byteOffset, lentBytes);
  const range: LentRange = { offset: words.getFloat64(0, true), bytes: words.getFloat64(8, true) };
  return borrow(range);
}

function viewOf(Class: ViewClass, segment: Uint8Array | undefined): View {
  if (!segment) throw new RangeError('a typed array without its segment');
  const width = Class.BYTES_PER_ELEMENT;
  if (segment.byteLength % width !== 0) throw new RangeError('a segment with half an element');
  const { buffer, byteOffset } =
    segment.byteOffset % width === 0 ? segment : Uint8Array.from(segment);
  return new Class(buffer as ArrayBuffer, byteOffset, segment.byteLength / width);
}

function describe(value: unknown, cause: unknown): string {
  const found = findUnencodable(value, isWhole);
  if (found) return `${found} and cannot cross the wire; send plain data, typed arrays or handles`;
  return `value cannot cross the wire: ${String(cause)}`;
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
