/** Arithmetic of collectives. Always in the order of ranks, so that a result depends on its operands alone. */

import { ActorsError } from './errors.js';

export type ReduceOp = 'sum' | 'max' | 'mean';

/** First element of each rank's share of `length` elements, and the end: shares differ by one element at most. */
export const sharesOf = (length: number, size: number): readonly number[] =>
  Array.from({ length: size + 1 }, (_, rank) => Math.floor((length * rank) / size));

/**
 * Element by element over the parts, the first rank's first. Sums are kept in double precision and rounded once.
 *
 * @throws ActorsError `E_SHAPE` if the parts differ in length.
 */
export function reduce(parts: readonly Float32Array[], op: ReduceOp): Float32Array {
  const length = parts[0]!.length;
  const odd = parts.findIndex((part) => part.length !== length);
  if (odd >= 0) {
    const text = `rank ${odd} gave ${parts[odd]!.length} elements where rank 0 gave ${length}`;
    throw new ActorsError('E_SHAPE', text);
  }
  const result = new Float32Array(length);
  for (let index = 0; index < length; index++) {
    let value = parts[0]![index]!;
    for (let rank = 1; rank < parts.length; rank++) {
      const next = parts[rank]![index]!;
      value = op === 'max' ? Math.max(value, next) : value + next;
    }
    result[index] = op === 'mean' ? value / parts.length : value;
  }
  return result;
}
