/** Noise levels sigma of models trained on a noise schedule, and Karras' spacing of them. */

import { linspace } from './schedule.js';

/** Sigma at every timestep of training: noise over signal. */
export const trainedSigmas = (alphas: Float64Array): readonly number[] =>
  Array.from(alphas, (alpha) => Math.sqrt((1 - alpha) / alpha));

/** The value of a table at a fractional index, linear in between and constant outside. */
export function at(table: readonly number[], index: number): number {
  const low = Math.min(Math.max(Math.floor(index), 0), table.length - 1);
  const high = Math.min(low + 1, table.length - 1);
  const share = Math.min(Math.max(index - low, 0), 1);
  return table[low]! * (1 - share) + table[high]! * share;
}

/** `count` sigmas from the largest to the smallest, spaced as arXiv 2206.00364, formula 5, with rho 7. */
export function karras(largest: number, smallest: number, count: number): number[] {
  const rho = 7;
  const [from, to] = [largest ** (1 / rho), smallest ** (1 / rho)];
  return linspace(0, 1, count).map((x) => (from + x * (to - from)) ** rho);
}

/** The fractional timestep of training whose sigma this is, logarithmic in between. */
export function timestepOf(trained: readonly number[], sigma: number): number {
  const above = trained.findIndex((entry) => entry > sigma);
  const high = above === -1 ? trained.length - 1 : Math.max(above, 1);
  const from = Math.log(trained[high - 1]!);
  const share = (Math.log(sigma) - from) / (Math.log(trained[high]!) - from);
  return high - 1 + Math.min(Math.max(share, 0), 1);
}
