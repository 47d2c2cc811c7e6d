/** Which latent rows a device decodes, and which of the pixel rows it makes are its own. Integers only. */

import type { Reach } from '../rewrite/reach.js';

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

/**
 * Which device decodes what where two groups of devices have made the same latent: the rows of a patch, halved, go to the two
 * that own it.
 *
 * @param bounds Patch i of each group owns latent rows [bounds[i], bounds[i + 1]).
 */
export function halvedRows(bounds: readonly number[]): {
  /** Numbers of devices, from top to bottom. */
  readonly order: readonly number[];
  readonly bounds: readonly number[];
} {
  const patches = bounds.length - 1;
  const first = [...Array(patches).keys()];
  const middles = first.map((patch) => (bounds[patch]! + bounds[patch + 1]!) >> 1);
  if (middles.some((middle, patch) => middle === bounds[patch])) return { order: first, bounds };
  return {
    order: first.flatMap((patch) => [patch, patch + patches]),
    bounds: [0, ...first.flatMap((patch) => [middles[patch]!, bounds[patch + 1]!])],
  };
}
