/** The guidance scale as latent consistency models read it: arXiv 2310.04378, section 4.2, as diffusers has it. */

import { type Tensor, tensor } from '../tensor.js';

/**
 * Sines and then cosines of the scale, whose periods grow geometrically.
 *
 * @param features Even, or the last one is 0.
 * @returns [1, features]
 */
export function guidanceEmbedding(guidanceScale: number, features: number): Tensor {
  const half = Math.floor(features / 2);
  const angle = (k: number): number => 1000 * (guidanceScale - 1) * 10_000 ** (-k / (half - 1));
  const out = tensor([1, features]);
  for (let k = 0; k < half; k++) {
    out.data[k] = Math.sin(angle(k));
    out.data[half + k] = Math.cos(angle(k));
  }
  return out;
}
