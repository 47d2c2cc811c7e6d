/** Images with what was shown of them meanwhile. */

import { psnr } from '../../pcpp/image/quality.js';
import type {
  GenerationRequest,
  GenerationResult,
  Pipeline,
  RgbImage,
  StepPreview,
} from '../../pcpp/index.js';

export interface Shown {
  readonly result: GenerationResult;
  readonly previews: readonly StepPreview[];
}

export async function makeShown(pipeline: Pipeline, request: GenerationRequest): Promise<Shown> {
  const job = pipeline.generate(request);
  const previews: StepPreview[] = [];
  for await (const progress of job) if (progress.kind === 'preview') previews.push(progress);
  return { result: await job.result, previews };
}

/** How near every preview is to the picture, in dB: they should become better from step to step. */
export const likeness = ({ result, previews }: Shown): readonly number[] =>
  previews.map(({ image }) => psnr(image, shrunk(result.image, result.image.width / image.width)));

/** Each pixel is the mean of a square. */
function shrunk({ width, height, data }: RgbImage, factor: number): RgbImage {
  const small = { width: width / factor, height: height / factor };
  const sums = new Float64Array(3 * small.width * small.height);
  for (const [k, value] of data.entries()) {
    const pixel = Math.floor(k / 3);
    const row = Math.floor(pixel / width / factor);
    const column = Math.floor((pixel % width) / factor);
    sums[3 * (row * small.width + column) + (k % 3)]! += value / factor ** 2;
  }
  return { ...small, data: Uint8Array.from(sums, Math.round) };
}
