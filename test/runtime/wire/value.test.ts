import test from 'ava';
import fc from 'fast-check';
import { RuntimeError } from '../../../runtime/errors.js';
import type { ActorId, NodeId, ProcessId } from '../../../runtime/ids.js';
import { ActorRef } from '../../../runtime/wire/address.js';
import { ActorProxy, decodeValue, encodeValue, segmentBytes } from '../../../runtime/wire/value.js';

const views = [
  fc.uint8Array(),
  fc.int8Array(),
  fc.uint8ClampedArray(),
  fc.uint16Array(),
  fc.int16Array(),
  fc.uint32Array(),
  fc.int32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigUint64Array(),
  fc.bigInt64Array(),
] as const;

const data = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      fc.string({ unit: 'binary' }),
      // msgpack has no integer -0: a bare one arrives as 0, in a typed array it stays.
      fc.double().map((x) => x + 0),
      fc.maxSafeInteger(),
      fc.bigInt(),
      fc.boolean(),
      fc.constant(null),
      fc.constant(undefined),
      fc.date({ noInvalidDate: true }),
      ...views,
    ),
    fc.array(tie('value')),
    // `__proto__` is renamed on arrival, on purpose.
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { noNullPrototype: true },
    ),
    fc.array(fc.tuple(fc.oneof(fc.string(), fc.integer()), tie('value'))).map((e) => new Map(e)),
    fc.array(tie('value')).map((items) => new Set(items)),
  ),
})).value;

const there = (value: unknown): unknown => decodeValue(encodeValue(value));

test('any plain value comes back as it went, typed arrays of every kind included', (t) => {
  fc.assert(
    fc.property(data, (value) => {
      t.deepEqual(there(value), value);
    }),
    { numRuns: 400 },
  );
});

test('typed arrays arrive intact at any alignment, and in place where the alignment allows', (t) => {
  const value = {
    bytes: Uint8Array.of(1, 2, 3),
    doubles: Float64Array.of(Math.PI, -0, Number.NaN),
    window: new Uint16Array(Uint16Array.of(9, 8, 7, 6).buffer, 2, 2),
    nothing: new Float32Array(0),
  };
  const encoded = encodeValue(value);
  for (let shift = 0; shift < 8; shift++) {
    const buffer = new Uint8Array(encoded.byteLength + 8);
    buffer.set(encoded, shift);
    const moved = buffer.subarray(shift, shift + encoded.byteLength);
    const back = decodeValue(moved) as typeof value;
    t.deepEqual(back, value);
    t.is(back.doubles.buffer === buffer.buffer, shift === 0);
  }
});

test('a Buffer arrives as the bytes it is, a DataView and an ArrayBuffer as themselves', (t) => {
  t.deepEqual(there(Buffer.from('abc')), Uint8Array.of(97, 98, 99));
  t.deepEqual(there(Uint8Array.of(1, 2).buffer), Uint8Array.of(1, 2).buffer);
  const view = there(new DataView(Uint8Array.of(1, 2, 3).buffer, 1)) as DataView;
  t.is(view.getUint8(1), 3);
});

test('payload bytes are those of the typed arrays and nothing else', (t) => {
  const value = { a: new Float64Array(5), b: [new Uint8Array(3)], text: 'x'.repeat(100) };
  t.is(segmentBytes(encodeValue(value)), 43);
  t.is(segmentBytes(encodeValue('no arrays')), 0);
});

class AnyProxy extends ActorProxy {}

test('handles, however deep, go as references and are revived on arrival', (t) => {
  const ref = new ActorRef('a' as ActorId, 'n' as NodeId, 'Counter "c"', {
    process: 'p' as ProcessId,
    machine: 'm',
    unix: '/s',
    url: 'ws://h:1',
  });
  const bytes = encodeValue({ list: [new Map([['x', new AnyProxy(ref)]])], plain: ref });
  const seen: ActorRef[] = [];
  const back = decodeValue(bytes, (arrived) => {
    seen.push(arrived as ActorRef);
    return `handle of ${(arrived as ActorRef).label}`;
  });
  t.deepEqual(back, {
    list: [new Map([['x', 'handle of Counter "c"']])],
    plain: 'handle of Counter "c"',
  });
  t.deepEqual(seen, [ref, ref]);
});

test('a failed encoding leaves nothing behind that would disturb the next', (t) => {
  const bad = [new Float32Array(1000), () => 1];
  t.throws(() => encodeValue(bad), { code: 'E_ENCODE' });
  t.is(segmentBytes(encodeValue([1])), 0);
  t.deepEqual(there({ a: Uint8Array.of(1) }), { a: Uint8Array.of(1) });
});

const isProtocolError = (error: unknown): boolean =>
  error instanceof RuntimeError && error.code === 'E_PROTOCOL';

test('cut off bytes are refused, whatever is missing', (t) => {
  const encoded = encodeValue({ a: [1, 'two', new Float64Array(3)], b: new Map([[1, 2n]]) });
  for (let length = 0; length < encoded.byteLength; length++) {
    t.throws(() => decodeValue(encoded.slice(0, length)), { code: 'E_PROTOCOL' }, `${length}`);
  }
});

test('garbage is refused or is some value, but never anything worse', (t) => {
  const encoded = encodeValue({ a: [1, 'two', new Float64Array(3)], m: new Map([[1, 2n]]) });
  const damaged = fc
    .array(fc.tuple(fc.nat(encoded.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
    .map((changes) => {
      const bytes = encoded.slice();
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged), (bytes) => {
      try {
        decodeValue(bytes);
      } catch (error) {
        if (!isProtocolError(error)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

/** An encoded value with this header and no segments. */
function headed(header: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 + header.length);
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(header, 8);
  return bytes;
}

test('an announced length is not believed: nothing is allocated for what is not there', (t) => {
  const before = process.memoryUsage();
  const huge = [0xdd, 0x01, 0xff, 0xff, 0xff];
  const nested = Array.from({ length: 40 }, () => huge).flat();
  for (const header of [huge, nested, [0xdf, 0xff, 0xff, 0xff, 0xff], [0xdb, 0xff, 0xff, 0xff, 1]])
    t.throws(() => decodeValue(headed(header)), { code: 'E_PROTOCOL' });
  const counted = new Uint8Array(16);
  new DataView(counted.buffer).setUint32(4, 0xffff_ffff, true);
  t.throws(() => decodeValue(counted), { code: 'E_PROTOCOL' });
  const after = process.memoryUsage();
  t.true(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers < 2 ** 26);
});

test('a value nested too deeply is refused, not fatal', (t) => {
  t.throws(() => decodeValue(headed(Array.from({ length: 200_000 }, () => 0x91))), {
    code: 'E_PROTOCOL',
  });
});
