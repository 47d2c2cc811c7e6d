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

/** Pairs of rows on each side that a seam is compared with. */
const nearRows = 4;

/**
 * How much more a picture changes from row to row at seams than nearby: squared differences, all seams together.
 *
 * @param seams Pixel rows at which another patch begins.
 * @returns About 1 if nothing is to be seen; 1 if there is no seam, or nothing changes at all.
 */
export function seamEnergy(image: RgbImage, seams: readonly number[]): number {
  const pairs = seams.map((seam) => {
    const from = Math.max(1, seam - nearRows);
    const to = Math.min(image.height - 1, seam + nearRows);
    const near = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    const others = near.filter((row) => row !== seam).map((row) => rowChange(image, row));
    return { at: rowChange(image, seam), nearby: mean(others) };
  });
  const nearby = mean(pairs.map((pair) => pair.nearby));
  return nearby === 0 ? 1 : mean(pairs.map((pair) => pair.at)) / nearby;
}

/** Mean squared difference of a row and the one above it. */
function rowChange({ width, data }: RgbImage, row: number): number {
  const length = 3 * width;
  let sum = 0;
  for (let k = 0; k < length; k++) {
    sum += (data[row * length + k]! - data[(row - 1) * length + k]!) ** 2;
  }
  return sum / length;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

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
