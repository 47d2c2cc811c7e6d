/** Latents to pixels and back, on one device. */

import { PcppError } from '../errors.js';
import type { VaeConfig } from '../model/config.js';
import { feed, floatOutput, inputPort, requireShape } from '../model/feed.js';
import type { Session } from '../onnx/session.js';
import { roundHalfEven } from '../samplers/schedule.js';
import { nchw, type Tensor, tensor } from '../tensor.js';

/** Interleaved 8-bit red, green, blue; rows from top to bottom. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * @param latents [N, C, H, W] as the sampler leaves them.
 * @returns [N, 3, H·scaleFactor, W·scaleFactor], about -1..1.
 * @throws PcppError `E_SESSION` if ONNX Runtime fails, `E_SHAPE` if the decoder enlarges by another factor.
 */
export async function decodeLatents(
  decoder: Session,
  latents: Tensor,
  vae: VaeConfig,
): Promise<Tensor> {
  const [n, , h, w] = nchw(latents);
  const port = inputPort(decoder, 'latent_sample');
  const outputs = await decoder.run({ latent_sample: feed(port, decoderInput(latents, vae)) });
  const pixels = floatOutput(outputs, 'sample');
  requireShape('the decoded image', pixels, [n, 3, h * vae.scaleFactor, w * vae.scaleFactor]);
  return pixels;
}

/** Latents as a decoder wants them. */
export const decoderInput = ({ dims, data }: Tensor, vae: VaeConfig): Tensor =>
  tensor(
    dims,
    data.map((x) => x / vae.scalingFactor + vae.shiftFactor),
  );

/**
 * The mean of what the encoder thinks the latent may be: the same picture always gives the same latent.
 *
 * @returns [1, C, H/scaleFactor, W/scaleFactor], as the sampler wants it.
 * @throws PcppError `E_SESSION` if ONNX Runtime fails, `E_SHAPE` if the encoder reduces by another factor.
 */
export async function encodeImage(
  encoder: Session,
  image: RgbImage,
  vae: VaeConfig,
): Promise<Tensor> {
  const pixels = toPixels(image);
  const outputs = await encoder.run({ sample: feed(inputPort(encoder, 'sample'), pixels) });
  const parameters = floatOutput(outputs, 'latent_parameters');
  const [, both] = nchw(parameters);
  const { width, height } = image;
  const dims = [1, both / 2, height / vae.scaleFactor, width / vae.scaleFactor];
  requireShape('the encoded image', parameters, [1, both, ...dims.slice(2)]);
  // Means come first, then logarithms of variances.
  const means = parameters.data.subarray(0, parameters.data.length / 2);
  return tensor(
    dims,
    means.map((x) => (x - vae.shiftFactor) * vae.scalingFactor),
  );
}

/** @returns [1, 3, H, W], -1..1 */
function toPixels({ width, height, data }: RgbImage): Tensor {
  const pixels = tensor([1, 3, height, width]);
  const plane = width * height;
  for (let k = 0; k < data.length; k++) {
    pixels.data[(k % 3) * plane + Math.floor(k / 3)] = data[k]! / 127.5 - 1;
  }
  return pixels;
}

/**
 * @param pixels [N, 3, H, W]; -1 becomes 0 and 1 becomes 255, what lies outside is clipped.
 * @returns N images.
 */
export function toRgb(pixels: Tensor): readonly RgbImage[] {
  const [n, , height, width] = nchw(pixels);
  const plane = height * width;
  return Array.from({ length: n }, (_, image) => {
    const data = new Uint8Array(3 * plane);
    for (let channel = 0; channel < 3; channel++) {
      const start = (image * 3 + channel) * plane;
      for (let k = 0; k < plane; k++) {
        const share = Math.min(Math.max(pixels.data[start + k]! / 2 + 0.5, 0), 1);
        data[3 * k + channel] = roundHalfEven(share * 255);
      }
    }
    return { width, height, data };
  });
}

/** Pixel rows one under another. @throws PcppError `E_SHAPE` if they are not equally wide. */
export function stackRows(parts: readonly RgbImage[]): RgbImage {
  const { width } = parts[0]!;
  const height = parts.reduce((sum, part) => sum + part.height, 0);
  const data = new Uint8Array(3 * width * height);
  let offset = 0;
  for (const part of parts) {
    if (part.width !== width) {
      throw new PcppError('E_SHAPE', `rows of ${part.width} pixels do not fit under ${width}`);
    }
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { width, height, data };
}
