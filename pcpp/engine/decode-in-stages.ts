/** From the last latent to pixels where the decoder looks at the whole image: devices decode their rows together. */

import { runPatches } from '../../actors/index.js';
import { type RgbImage, stackRows } from '../image/decode.js';
import type { Tensor } from '../tensor.js';
import type { Device } from './pipeline.js';

/** What a device has to know. Plain data. */
export interface DecodeJob {
  /** Tells its messages from those of another job. */
  readonly id: string;
  /** [1, C, H, W] after the last step. */
  readonly latent: Tensor;
  /** Device i decodes latent rows [bounds[i], bounds[i + 1]). */
  readonly bounds: readonly number[];
}

/** @param devices One for each pair of bounds. @throws The first error of any device. */
export async function decodeInStages(
  devices: readonly Device[],
  job: DecodeJob,
  signal?: AbortSignal,
): Promise<RgbImage> {
  const options = signal ? { signal } : {};
  const called = devices.map((device) => device.with(options));
  await Promise.all(called.map((device, patch) => device.takeDecoding(job, patch)));
  await Promise.all(called.map((device) => device.link(devices)));
  for await (const _ of runPatches(devices, 0, 1, options)) {
    // Only the pixels are of interest.
  }
  signal?.throwIfAborted();
  return stackRows(await Promise.all(called.map((device) => device.pixels())));
}
