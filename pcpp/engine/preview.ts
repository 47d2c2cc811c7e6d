/** What is shown of an image while it is denoised: each device colours its own rows, and the job puts them together. */

import type { StepReport } from '../../actors/index.js';
import { type RgbImage, stackRows } from '../image/decode.js';
import { colorsOf, type LatentColors } from '../image/latent-colors.js';
import type { GenerationSettings } from './generation-settings.js';
import type { Share } from './share.js';

/** What a device tells of a step. */
export interface DenoiseReport extends StepReport {
  /** Own rows, a pixel for each of the latent; only after steps that are shown. */
  readonly preview?: RgbImage;
}

/** Every so many steps, and the last one: decoding may take long. */
export const isShown = (
  { previewEvery, evaluations }: Pick<GenerationSettings, 'previewEvery' | 'evaluations'>,
  step: number,
): boolean =>
  previewEvery !== undefined && ((step + 1) % previewEvery === 0 || step === evaluations - 1);

/** The image as the network saw it in the last step; undefined before the first. */
export function previewOf({ denoised }: Share, colors: LatentColors): RgbImage | undefined {
  return denoised && colorsOf(denoised, colors);
}

/** @param reports Of one step, by all devices, in any order. @returns The whole image; undefined where nothing is shown. */
export function joinPreviews(reports: readonly DenoiseReport[]): RgbImage | undefined {
  const parts = reports
    .toSorted((one, other) => one.patch - other.patch)
    .flatMap(({ preview }) => preview ?? []);
  return parts.length > 0 ? stackRows(parts) : undefined;
}
