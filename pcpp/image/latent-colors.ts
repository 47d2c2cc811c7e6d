/**
 * The colours of a latent without its decoder: a linear function of its channels, which is not far from what a decoder makes of
 * them on average. It is fitted to the decoder's own pixels of a small random latent.
 */

import { PcppError } from '../errors.js';
import type { VaeConfig } from '../model/config.js';
import { inputPort } from '../model/feed.js';
import type { Session } from '../onnx/session.js';
import { initialRows } from '../samplers/noise.js';
import { nchw, type Tensor, tensor } from '../tensor.js';
import { decodeLatents, type RgbImage, toRgb } from './decode.js';
import { leastSquares } from './least-squares.js';

/**
 * For red, green and blue: a weight for each channel of the latent as samplers leave it, and last what is added. The sum is
 * -1..1, as decoders have it. Plain data.
 */
export type LatentColors = readonly (readonly number[])[];

/** @param latent [1, C, H, W] @returns One pixel for each of the latent. */
export function colorsOf(latent: Tensor, colors: LatentColors): RgbImage {
  const [, channels, height, width] = nchw(latent);
  const plane = height * width;
  const pixels = tensor([1, 3, height, width]);
  for (const [color, weights] of colors.entries()) {
    const values = pixels.data.subarray(color * plane, (color + 1) * plane);
    values.fill(weights[channels]!);
    for (let channel = 0; channel < channels; channel++) {
      const weight = weights[channel]!;
      const source = latent.data.subarray(channel * plane, (channel + 1) * plane);
      for (let k = 0; k < plane; k++) values[k]! += weight * source[k]!;
    }
  }
  const [image] = toRgb(pixels);
  return image!;
}

/**
 * The same decoder gives the same colours.
 *
 * @param channels Of the latent.
 * @throws PcppError `E_SESSION` if ONNX Runtime fails, `E_MODEL_CONFIG` if the decoder's pixels are no numbers.
 */
export async function fitColors(
  decoder: Session,
  channels: number,
  vae: VaeConfig,
): Promise<LatentColors> {
  const latent = probe(channels, probeSize(decoder));
  const pixels = await decodeLatents(decoder, latent, vae);
  try {
    return fittedColors(latent, averaged(pixels, vae.scaleFactor));
  } catch (cause) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      'the decoder gives no finite pixels for a small random latent, so there are no previews: leave previewEvery out',
      { cause },
    );
  }
}

/**
 * @param latent [1, C, H, W]
 * @param pixels [1, 3, H, W], what its colours should be.
 * @throws PcppError `E_SHAPE` if the latent has too little in it to tell.
 */
export function fittedColors(latent: Tensor, pixels: Tensor): LatentColors {
  const [, channels, height, width] = nchw(latent);
  const plane = height * width;
  const rows = Array.from({ length: plane }, (_, k) => [
    ...Array.from({ length: channels }, (_, channel) => latent.data[channel * plane + k]!),
    1,
  ]);
  const colors = [0, 1, 2].map((color) =>
    Array.from(pixels.data.subarray(color * plane, (color + 1) * plane)),
  );
  return leastSquares(rows, colors);
}

/** Means of blocks of `factor` x `factor` pixels. @param pixels [N, C, H, W] @returns [N, C, H / factor, W / factor] */
export function averaged(pixels: Tensor, factor: number): Tensor {
  const [n, c, height, width] = nchw(pixels);
  const out = tensor([n, c, height / factor, width / factor]);
  const [, , , columns] = nchw(out);
  for (const [k, value] of pixels.data.entries()) {
    const row = Math.floor(k / width / factor);
    const column = Math.floor((k % width) / factor);
    out.data[row * columns + column]! += value / factor ** 2;
  }
  return out;
}

/** Latent rows and columns, where the decoder was not exported for other ones alone. */
const usualSize = 16;

function probeSize(decoder: Session): readonly [height: number, width: number] {
  const [, , ...sides] = inputPort(decoder, 'latent_sample').dims;
  const [height, width] = sides.map((side) =>
    typeof side === 'number' && side > 0 ? side : usualSize,
  );
  return [height ?? usualSize, width ?? usualSize];
}

/** Each value is made of so many rows and columns of noise: the latents of pictures are smooth. */
const smoothness = 3;

/** @returns [1, channels, height, width], smooth, unit variance, always the same. */
function probe(channels: number, [height, width]: readonly [number, number]): Tensor {
  const margin = smoothness - 1;
  const noise = initialRows(0, {
    channels,
    width: width + margin,
    fromRow: 0,
    toRow: height + margin,
  });
  const out = tensor([1, channels, height, width]);
  for (const [k] of out.data.entries()) {
    const [row, column] = [Math.floor(k / width), k % width];
    // Rows of a channel and of those before, each of which has a margin.
    const first = row + Math.floor(row / height) * margin;
    for (let i = 0; i < smoothness ** 2; i++) {
      const at =
        (first + Math.floor(i / smoothness)) * (width + margin) + column + (i % smoothness);
      out.data[k]! += noise.data[at]! / smoothness;
    }
  }
  return out;
}
