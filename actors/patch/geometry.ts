/** Which rows of a grid belong to which patch. Integers only; everything else about a split derives from it. */

import { ActorsError } from '../errors.js';

/** First row of each patch, in order, and the number of rows: `[0, 24, 40]` is two patches of 24 and 16 rows. */
export type Bounds = readonly number[];

export interface SplitOptions {
  /** Every bound is a multiple of this. @default 1 */
  readonly multiple?: number;
  /** Wanted shares, one for each patch. @default equal */
  readonly weights?: readonly number[];
}

/**
 * Rows in bands from top to bottom, as close to the wanted shares as whole multiples allow; every patch gets some.
 *
 * @throws ActorsError `E_GEOMETRY` if there are fewer multiples than patches.
 */
export function splitRows(rows: number, patches: number, options: SplitOptions = {}): Bounds {
  const { multiple = 1, weights = Array.from({ length: patches }, () => 1) } = options;
  const units = rows / multiple;
  const total = weights.reduce((a, b) => a + b, 0);
  const fair = weights.length === patches && weights.every((weight) => weight >= 0) && total > 0;
  if (!Number.isInteger(units) || units < patches || patches < 1 || !fair) {
    throw new ActorsError(
      'E_GEOMETRY',
      `${rows} rows in multiples of ${multiple} cannot be shared by ${patches} patches as ${weights}`,
    );
  }
  const bounds = [0];
  let share = 0;
  for (let patch = 1; patch < patches; patch++) {
    share += weights[patch - 1]!;
    const wanted = Math.round((units * share) / total);
    const least = bounds[patch - 1]! + 1;
    const most = units - (patches - patch);
    bounds.push(Math.min(Math.max(wanted, least), most));
  }
  bounds.push(units);
  return bounds.map((bound) => bound * multiple);
}

/** The patches directly above and below, as far as there are any. */
export const neighboursOf = (patch: number, patches: number): readonly number[] =>
  [patch - 1, patch + 1].filter((other) => other >= 0 && other < patches);

export const othersOf = (patch: number, patches: number): readonly number[] =>
  Array.from({ length: patches }, (_, other) => other).filter((other) => other !== patch);

/**
 * Who keeps a patch's checkpoint: a neighbour, because neighbours keep pace with one another. Undefined for an only patch.
 */
export const buddyOf = (patch: number, patches: number): number | undefined =>
  neighboursOf(patch, patches).at(-1);
