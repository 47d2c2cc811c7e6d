/** Readers of one large array, which none of them gets a copy of. */

import type { ObjectRef } from '../runtime/index.js';

/** Sum of every `count`th number from `first` on. */
export function sumOfShare(numbers: Float64Array, first: number, count: number): number {
  let sum = 0;
  for (let place = first; place < numbers.length; place += count) sum += numbers[place]!;
  return sum;
}

/** Squares: a large result, which stays on the node that made it. */
export const squares = (numbers: Float64Array): Float64Array => numbers.map((n) => n * n);

export class Ends {
  /** Inside a value a ref stays a ref: it is read when somebody awaits it. */
  async of({ numbers }: { numbers: ObjectRef<Float64Array> }): Promise<readonly number[]> {
    const view = await numbers;
    return [view[0]!, view.at(-1)!];
  }
}
