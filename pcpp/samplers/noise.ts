/**
 * Unit normal noise keyed by (seed, draw, channel, row, column).
 *
 * Every number is a function of its place, so any split of the rows over devices gives the same field. The bits come
 * from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), the normals from Box and
 * Muller's transform. Logarithm, sine and cosine are V8's own, so Node.js gives the same values on every machine.
 */

import { PcppError } from '../errors.js';
import { type Tensor, tensor } from '../tensor.js';

export interface NoiseRows {
  readonly channels: number;
  /** Columns of the whole latent. */
  readonly width: number;
  /** First row, counted in the whole latent. */
  readonly fromRow: number;
  /** The row after the last one. */
  readonly toRow: number;
}

/** The largest seed: seeds are whole numbers that a double holds exactly. */
export const maxSeed: number = Number.MAX_SAFE_INTEGER;

/**
 * The rows of the first latent, before multiplication by `initNoiseSigma`.
 *
 * @param seed 0..`maxSeed`.
 * @returns [1, channels, toRow - fromRow, width], unit normal.
 * @throws PcppError `E_OPTION` if the seed is out of range.
 */
export const initialRows = (seed: number, rows: NoiseRows): Tensor => noiseRows(seed, 0, rows);

/**
 * @param draw 0 is the first latent; i + 1 belongs to evaluation i of a sampler that adds noise.
 * @returns [1, channels, toRow - fromRow, width], unit normal.
 * @throws PcppError `E_OPTION` if the seed is out of range.
 */
export function noiseRows(seed: number, draw: number, rows: NoiseRows): Tensor {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new PcppError('E_OPTION', `seed must be an integer in 0..${maxSeed}, got ${seed}`);
  }
  const { channels, width, fromRow, toRow } = rows;
  const out = tensor([1, channels, toRow - fromRow, width]);
  const key: readonly [number, number] = [seed >>> 0, Math.floor(seed / 2 ** 32)];
  let offset = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let row = fromRow; row < toRow; row++) {
      for (let column = 0; column < width; column += 4) {
        const four = normals(philox([column >>> 2, row, channel, draw], key));
        out.data.set(four.slice(0, width - column), offset + column);
      }
      offset += width;
    }
  }
  return out;
}

type Words = readonly [number, number, number, number];

function normals(words: Words): readonly number[] {
  const [a, b] = pair(words[0], words[1]);
  const [c, d] = pair(words[2], words[3]);
  return [a, b, c, d];
}

function pair(first: number, second: number): readonly [number, number] {
  // Half a unit is added, so that the logarithm never sees 0.
  const radius = Math.sqrt(-2 * Math.log((first + 0.5) / 2 ** 32));
  const angle = (2 * Math.PI * (second + 0.5)) / 2 ** 32;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/**
 * Philox4x32 with ten rounds.
 *
 * @param counter Four unsigned 32-bit words.
 * @param key Two unsigned 32-bit words.
 * @returns Four unsigned 32-bit words.
 */
export function philox(counter: Words, key: readonly [number, number]): Words {
  let [a, b, c, d] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const highA = multiplyHigh(0xd2511f53, a);
    const lowA = Math.imul(0xd2511f53, a);
    const highC = multiplyHigh(0xcd9e8d57, c);
    const lowC = Math.imul(0xcd9e8d57, c);
    [a, b, c, d] = [highC ^ b ^ k0, lowC, highA ^ d ^ k1, lowA];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}

/** The upper 32 bits of the product of two unsigned 32-bit words, by halves that a double holds exactly. */
function multiplyHigh(x: number, y: number): number {
  const xLow = x & 0xffff;
  const xHigh = x >>> 16;
  const yLow = y & 0xffff;
  const yHigh = y >>> 16;
  const low = xLow * yLow;
  const middle = xHigh * yLow + Math.floor(low / 65536);
  const cross = xLow * yHigh + (middle % 65536);
  return (xHigh * yHigh + Math.floor(middle / 65536) + Math.floor(cross / 65536)) >>> 0;
}
