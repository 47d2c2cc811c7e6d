/** Linear least squares with few unknowns. */

import { PcppError } from '../errors.js';

/**
 * The weights w for which the squares of row · w - target are least, by normal equations: good for a few unknowns that are
 * not almost the same.
 *
 * @param rows One for each observation, as long as there are unknowns.
 * @param targets One list for each thing to be explained, with a value for each row.
 * @returns Weights for each list of targets.
 * @throws PcppError `E_SHAPE` if the rows leave the weights open, or anything is not finite.
 */
export function leastSquares(
  rows: readonly (readonly number[])[],
  targets: readonly (readonly number[])[],
): readonly (readonly number[])[] {
  const unknowns = rows[0]?.length ?? 0;
  const products = (of: (row: number) => number): number[] =>
    Array.from({ length: unknowns }, (_, i) =>
      rows.reduce((sum, values, row) => sum + values[i]! * of(row), 0),
    );
  const left = Array.from({ length: unknowns }, (_, j) => products((row) => rows[row]![j]!));
  const right = targets.map((target) => products((row) => target[row]!));
  const solved = solve(left, right);
  if (solved.every((weights) => weights.length > 0 && weights.every(Number.isFinite))) {
    return solved;
  }
  throw new PcppError(
    'E_SHAPE',
    `${rows.length} observations do not say what ${unknowns} weights are`,
  );
}

/** Gaussian elimination of a symmetric positive matrix; what is not finite has no solution. */
function solve(
  matrix: readonly (readonly number[])[],
  rights: readonly (readonly number[])[],
): readonly (readonly number[])[] {
  const size = matrix.length;
  // The right sides are further columns.
  const rows = matrix.map((row, i) => [...row, ...rights.map((right) => right[i]!)]);
  const smallest = 1e-12 * Math.max(...matrix.map((row, i) => row[i]!));
  for (const [i, pivot] of rows.entries()) {
    const scale = pivot[i]! > smallest ? 1 / pivot[i]! : Number.NaN;
    for (let k = i; k < pivot.length; k++) pivot[k]! *= scale;
    for (const [j, other] of rows.entries()) {
      if (j === i) continue;
      const factor = other[i]!;
      for (let k = i; k < other.length; k++) other[k]! -= factor * pivot[k]!;
    }
  }
  return rights.map((_, target) => rows.map((row) => row[size + target]!));
}
