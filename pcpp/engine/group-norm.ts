/**
 * Group normalisation over patches: the graph uses moments `a * own + b`, and here are a and b.
 *
 * Moments of a patch are 2 * [N, groups] per norm site, E[x] and then E[x^2], sites after one another. Patches count by
 * their rows, so uneven ones are weighted right. The fall-back from a negative variance to the own one is in the graph.
 */

import { momentsLength } from '../partition/manifest.js';
import { type PatchPlan, patchCount, rowsOf } from '../partition/plan.js';
import { rowsAt } from '../rewrite/sites.js';

/**
 * How much of its own change a patch adds to what all were a step ago, by its share of the rows. At 1, which is `corrected`,
 * patches answer each other's changes ever more strongly, and pictures of four devices tip over; at its share, which is
 * `stale`, what all have in common is a step late. Between them, nearer to 1 the fewer others there are: docs/fidelity.md has
 * what it was chosen by.
 */
const damped = (share: number): number => 1 - (1 - share) ** 2 / 2;

export interface GroupNormTerms {
  readonly a: number;
  readonly b: Float32Array;
}

/** Terms of a run that sees the whole image: own moments are all there is. */
export const wholeTerms = (plan: PatchPlan): GroupNormTerms => ({
  a: 1,
  b: new Float32Array(momentsLength(plan)),
});

/**
 * @param stale Moments of every patch in the previous step, the own ones included.
 */
export function groupNormTerms(
  plan: PatchPlan,
  patch: number,
  stale: readonly Float32Array[],
): GroupNormTerms {
  const b = new Float64Array(momentsLength(plan));
  const add = (moments: Float32Array, weight: number): void => {
    for (let index = 0; index < b.length; index++) b[index]! += weight * moments[index]!;
  };
  const patches = [...Array(patchCount(plan)).keys()];
  const share = (other: number): number => rowsOf(plan, other) / plan.height;
  switch (plan.groupNorm) {
    case 'local':
      return { a: 1, b: Float32Array.from(b) };
    case 'damped':
    case 'corrected': {
      const weight = plan.groupNorm === 'damped' ? damped(share(patch)) : 1;
      for (const other of patches) add(stale[other]!, share(other));
      add(stale[patch]!, -weight);
      return { a: weight, b: Float32Array.from(b) };
    }
    case 'stale':
      for (const other of patches) if (other !== patch) add(stale[other]!, share(other));
      return { a: share(patch), b: Float32Array.from(b) };
  }
}

/**
 * Moments of latent rows [from, to) out of the moments of single rows.
 *
 * @param rowMoments `gn_rows` of a run over latent rows [0, height): for each site 2 * [N, groups, rows].
 */
export function momentsOfRows(
  plan: PatchPlan,
  rowMoments: Float32Array,
  height: number,
  from: number,
  to: number,
): Float32Array {
  const moments = new Float32Array(momentsLength(plan));
  let read = 0;
  let write = 0;
  for (const site of plan.sites.norms) {
    const rows = rowsAt(site.level, height);
    const [first, last] = [rowsAt(site.level, from), rowsAt(site.level, to)];
    for (let series = 0; series < 2 * plan.batch * site.groups; series++, read += rows) {
      let sum = 0;
      for (let row = first; row < last; row++) sum += rowMoments[read + row]!;
      moments[write++] = sum / (last - first);
    }
  }
  return moments;
}
