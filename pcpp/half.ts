/** IEEE 754 half precision as raw bits; Node 20 has no Float16Array. */

/** Rounds to the nearest half, ties to even; what is too large becomes infinite. */
export function toHalf(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  packHalves(values, halves, 0x7c00);
  return halves;
}

export function fromHalf(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  unpackHalves(halves, values);
  return values;
}

const infinity = 0x7f800000;
/** The smallest normal half, and what its exponent is off by, as bits of a float32. */
const leastNormal = 0x38800000;
const rebias = 0x38000000;
export const largestHalf = 0x7bff;

/**
 * As `toHalf`, into an array that is there.
 *
 * @param largest Bits of what too large values become: infinity, or the largest finite half.
 */
export function packHalves(values: Float32Array, halves: Uint16Array, largest: number): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let index = 0; index < bits.length; index++) {
    const value = bits[index]!;
    const magnitude = value & 0x7fffffff;
    let half: number;
    if (magnitude > infinity) half = 0x7e00;
    // Below the smallest normal half a unit is worth 2^-24.
    else if (magnitude < leastNormal) half = roundEven(Math.abs(values[index]!) * 2 ** 24);
    else {
      const even = (magnitude >>> 13) & 1;
      half = Math.min((magnitude - rebias + 0xfff + even) >>> 13, largest);
    }
    halves[index] = ((value >>> 16) & 0x8000) | half;
  }
}

/** As `fromHalf`, into an array that is there. */
export function unpackHalves(halves: Uint16Array, values: Float32Array): void {
  table ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => floatOf(half));
  for (let index = 0; index < halves.length; index++) values[index] = table[halves[index]!]!;
}

/** Every half there is: looking one up is several times as fast as computing it. */
let table: Float32Array | undefined;

function floatOf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return floor + Number(rest > 0.5 || (rest === 0.5 && floor % 2 === 1));
}
