/** Which latent rows a device decodes, and which of the pixel rows it makes are its own. Integers only. */

import { PcppError } from '../errors.js';
import type { Reach } from '../rewrite/reach.js';
import type { RgbImage } from './decode.js';

type Rows = readonly [from: number, to: number];

export interface Strip {
  /** Latent rows [from, to) to decode: own ones and as many of the others as these depend on. */
  readonly reads: Rows;
  /** Pixel rows [from, to) to keep, counted from the first that is decoded. The others are wrong or another device's. */
  readonly keeps: Rows;
}

/**
 * At the image's edges there is nothing more to read, and the decoder's own padding is right.
 *
 * @param bounds Device i owns latent rows [bounds[i], bounds[i + 1]).
 */
export function stripsOf({ above, below, scale }: Reach, bounds: readonly number[]): Strip[] {
  const height = bounds.at(-1)!;
  return bounds.slice(1).map((end, index) => {
    const start = bounds[index]!;
    const first = Math.max(0, start - above);
    return {
      reads: [first, Math.min(height, end + below)],
      keeps: [(start - first) * scale, (end - first) * scale],
    };
  });
}

/** Pixel rows one under another. @throws PcppError `E_SHAPE` if they are not equally wide. */
export function stackRows(parts: readonly RgbImage[]): RgbImage {
  const { width } = parts[0]!;
  const height = parts.reduce((sum, part) => sum + part.height, 0);
  const data = new Uint8Array(3 * width * height);
  let offset = 0;
  for (const part of parts) {
    if (part.width !== width) {
      throw new PcppError('E_SHAPE', `rows of ${part.width} pixels do not fit under ${width}`);
    }
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { width, height, data };
}
