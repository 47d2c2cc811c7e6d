import test from 'ava';
import fc from 'fast-check';
import { fromHalf, toHalf } from '../../pcpp/half.js';

const bitsOf = (value: number): number => toHalf(Float32Array.of(value))[0]!;

test('known values', (t) => {
  const known: readonly (readonly [number, number])[] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [1.5 * 2 ** -24, 0x0002],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2047.75, 0x6800],
  ];
  for (const [value, bits] of known) t.is(bitsOf(value), bits, String(value));
  t.true(Number.isNaN(fromHalf(toHalf(Float32Array.of(Number.NaN)))[0]!));
});

test('every half survives', (t) => {
  const all = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);
  const numbers = all.filter((bits) => (bits & 0x7c00) !== 0x7c00 || (bits & 0x3ff) === 0);
  t.deepEqual(toHalf(fromHalf(numbers)), numbers);
});

test('the nearest half is taken', (t) => {
  fc.assert(
    fc.property(fc.float({ min: -60000, max: 60000, noNaN: true }), (value) => {
      const bits = bitsOf(value);
      const distance = (half: number): number =>
        Math.abs(fromHalf(Uint16Array.of(half))[0]! - value);
      const neighbours = [bits - 1, bits + 1].filter(
        (half) => half >= 0 && (half & 0x7fff) < 0x7c00,
      );
      t.true(neighbours.every((half) => distance(bits) <= distance(half)));
    }),
  );
});
