/** How near two pictures are. */

import { ssim as structuralSimilarity } from 'ssim.js';
import { PcppError } from '../errors.js';
import type { RgbImage } from './decode.js';

/**
 * Peak signal-to-noise ratio over all channels.
 *
 * @returns Decibels; infinite for identical images.
 * @throws PcppError `E_SHAPE` if the sizes differ.
 */
export function psnr(a: RgbImage, b: RgbImage): number {
  requireSameSize(a, b);
  let sum = 0;
  for (let k = 0; k < a.data.length; k++) sum += (a.data[k]! - b.data[k]!) ** 2;
  return 10 * Math.log10(255 ** 2 / (sum / a.data.length));
}

/**
 * Mean structural similarity of the grey images (Wang et al., IEEE Transactions on Image Processing 13, 2004) with
 * windows of 11 pixels.
 *
 * @returns 1 for identical images, about 0 for unrelated ones.
 * @throws PcppError `E_SHAPE` if the sizes differ.
 */
export function ssim(a: RgbImage, b: RgbImage): number {
  requireSameSize(a, b);
  return structuralSimilarity(toRgba(a), toRgba(b), { downsample: false }).mssim;
}

function toRgba(image: RgbImage): {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
} {
  const pixels = image.width * image.height;
  const data = new Uint8ClampedArray(4 * pixels).fill(255);
  for (let k = 0; k < pixels; k++) data.set(image.data.subarray(3 * k, 3 * k + 3), 4 * k);
  return { width: image.width, height: image.height, data };
}

function requireSameSize(a: RgbImage, b: RgbImage): void {
  if (a.width === b.width && a.height === b.height) return;
  throw new PcppError(
    'E_SHAPE',
    `cannot compare ${a.width}x${a.height} with ${b.width}x${b.height}`,
  );
}
