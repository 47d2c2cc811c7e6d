/** What every sampler can do. All of it is pure and element-wise, so that each patch steps its own rows. */

import { PcppError } from '../errors.js';
import { type Tensor, tensor } from '../tensor.js';

/**
 * A sampler walks a latent from noise to image, one denoiser evaluation per timestep.
 *
 * Tensors may have any shape: a whole latent [N, C, H, W] or the rows of one patch.
 *
 * @typeParam S What the sampler remembers between steps. It belongs to the rows it was made from.
 */
export interface Sampler<S = unknown> {
  /** What the denoiser is told, from noise to image; one entry per evaluation. */
  readonly timesteps: readonly number[];
  /** Whether every step wants noise of its own. */
  readonly drawsNoise: boolean;
  /** Standard deviation of the first latent: unit normal noise is multiplied by it. */
  readonly initNoiseSigma: number;
  /** The latent as the denoiser wants to see it at evaluation `index`. */
  scaleInput(sample: Tensor, index: number): Tensor;
  /**
   * An image with as much noise as evaluation `index` begins with: what a walk that starts there starts from.
   *
   * @param image The latent without noise.
   * @param noise Unit normal, same shape.
   */
  noised(image: Tensor, noise: Tensor, index: number): Tensor;
  /**
   * The other way: the image as the denoiser sees it in the noise.
   *
   * @param output What the denoiser said, same shape as `sample`: noise, velocity, or whatever it was trained to predict.
   * @param sample The latent before the step, not scaled.
   * @param index Which evaluation `output` comes from, 0-based.
   */
  denoised(output: Tensor, sample: Tensor, index: number): Tensor;
  /** The state before evaluation 0. */
  start(): S;
  /**
   * @param index Which evaluation `output` comes from, 0-based.
   * @param output What the denoiser said, same shape as `sample`.
   * @param sample The latent before the step, not scaled.
   * @param noise Unit normal, same shape; only for a sampler that draws noise.
   */
  step(
    state: S,
    index: number,
    output: Tensor,
    sample: Tensor,
    noise?: Tensor,
  ): { readonly state: S; readonly sample: Tensor };
}

/** The names a user can choose from. */
export type SamplerName =
  | 'ddim'
  | 'pndm'
  | 'euler'
  | 'euler-ancestral'
  | 'dpm-solver++'
  | 'lcm'
  | 'flow-match-euler';

export const samplerNames: readonly SamplerName[] = [
  'ddim',
  'pndm',
  'euler',
  'euler-ancestral',
  'dpm-solver++',
  'lcm',
  'flow-match-euler',
];

/**
 * a·x + b·y, element by element, computed in float64 and rounded once.
 *
 * @throws PcppError `E_SHAPE` if the two differ in shape.
 */
export function weightedSum(a: number, x: Tensor, b: number, y: Tensor): Tensor {
  requireSameShape(x, y);
  const out = new Float32Array(x.data.length);
  for (let k = 0; k < out.length; k++) out[k] = a * x.data[k]! + b * y.data[k]!;
  return tensor(x.dims, out);
}

/** @throws PcppError `E_SHAPE` if the two differ in shape. */
export function requireSameShape(x: Tensor, y: Tensor): void {
  if (x.dims.length !== y.dims.length || x.dims.some((size, axis) => size !== y.dims[axis])) {
    throw new PcppError('E_SHAPE', `expected the shape [${x.dims}], got [${y.dims}]`);
  }
}

/**
 * The sum of w·x over several tensors, element by element, computed in float64 and rounded once.
 *
 * @throws PcppError `E_SHAPE` if they differ in shape.
 */
export function combine(terms: readonly (readonly [weight: number, values: Tensor])[]): Tensor {
  const [, first] = terms[0]!;
  const out = new Float32Array(first.data.length);
  for (const [, values] of terms) requireSameShape(first, values);
  for (let k = 0; k < out.length; k++) {
    let sum = 0;
    for (const [weight, values] of terms) sum += weight * values.data[k]!;
    out[k] = sum;
  }
  return tensor(first.dims, out);
}

/** The same walk without its first `skipped` evaluations; counted from 0 again. */
export function startingAt<S>(sampler: Sampler<S>, skipped: number): Sampler<S> {
  return {
    ...sampler,
    timesteps: sampler.timesteps.slice(skipped),
    scaleInput: (sample, index) => sampler.scaleInput(sample, index + skipped),
    noised: (image, noise, index) => sampler.noised(image, noise, index + skipped),
    denoised: (output, sample, index) => sampler.denoised(output, sample, index + skipped),
    step: (state, index, output, sample, noise) =>
      sampler.step(state, index + skipped, output, sample, noise),
  };
}
