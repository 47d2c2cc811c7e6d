/** The random numbers of an image: its first latent, and what samplers add on the way. */

import { initialRows, noiseRows } from '../samplers/noise.js';
import type { Sampler } from '../samplers/sampler.js';
import { type Tensor, tensor } from '../tensor.js';
import type { GenerationSettings } from './generation-settings.js';

/**
 * @param image A latent without noise to begin with.
 * @param noise Unit normal, [1, C, H, W]. @default drawn from the seed
 * @returns [1, C, H, W] at the sampler's first noise level.
 */
export function firstLatent(
  sampler: Sampler,
  { seed, latent }: GenerationSettings,
  image?: Tensor,
  noise?: Tensor,
): Tensor {
  const { channels, height, width } = latent;
  const unit = noise ?? initialRows(seed, { channels, width, fromRow: 0, toRow: height });
  if (image) return sampler.noised(image, unit, 0);
  return tensor(
    unit.dims,
    unit.data.map((value) => value * sampler.initNoiseSigma),
  );
}

/**
 * What a sampler adds in one step to some rows, the same on any number of devices.
 *
 * @returns [1, C, to - from, W], unit normal; undefined for samplers that add nothing.
 */
export function drawnNoise(
  { drawsNoise }: Sampler,
  { seed, latent }: GenerationSettings,
  step: number,
  [fromRow, toRow]: readonly [from: number, to: number],
): Tensor | undefined {
  if (!drawsNoise) return undefined;
  const { channels, width } = latent;
  return noiseRows(seed, step + 1, { channels, width, fromRow, toRow });
}
