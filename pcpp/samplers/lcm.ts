/**
 * Multistep sampling of latent consistency models: arXiv 2310.04378, algorithm 3, as diffusers has it. Every step goes to the
 * image at once, and then back to the next noise level with fresh noise.
 */

import * as z from 'zod';
import { PcppError } from '../errors.js';
import { type Sampler, weightedSum } from './sampler.js';
import { alphasCumprod, imageWeights, mixed } from './schedule.js';
import {
  discreteSettings,
  parseScheduler,
  refuse,
  type SchedulerConfig,
} from './scheduler-config.js';

const own = z.looseObject({
  original_inference_steps: z.int().min(1).default(50),
  timestep_scaling: z.number().positive().default(10),
  clip_sample: z.literal(false).default(false),
});

/** Standard deviation of data that the boundary condition is written for. */
const dataDeviation = 0.5;

/**
 * @param steps Denoiser evaluations: 4 to 8, at most the `original_inference_steps` that the model was distilled with.
 * @throws PcppError `E_MODEL_CONFIG` for settings this sampler does not know, `E_OPTION` for steps out of range.
 */
export function lcm(config: SchedulerConfig, steps: number): Sampler<null> {
  refuse(config, ['thresholding']);
  const { schedule, prediction } = discreteSettings(config, 'leading');
  const { original_inference_steps: original, timestep_scaling } = parseScheduler(own, config);
  if (!Number.isInteger(steps) || steps < 1 || steps > original) {
    throw new PcppError('E_OPTION', `steps must be an integer in 1..${original}, got ${steps}`);
  }
  const alphas = alphasCumprod(schedule);
  const stride = Math.floor(schedule.trainSteps / original);
  const timesteps = Array.from(
    { length: steps },
    (_, index) => (original - Math.floor((index * original) / steps)) * stride - 1,
  );
  /** The image that the network was distilled to guess at once: at almost no noise it is the sample itself. */
  const denoised: Sampler['denoised'] = (output, sample, index) => {
    const timestep = timesteps[index]!;
    const alpha = alphas[timestep]!;
    const scaled = timestep * timestep_scaling;
    const norm = scaled ** 2 + dataDeviation ** 2;
    const [skip, out] = [dataDeviation ** 2 / norm, scaled / Math.sqrt(norm)];
    const [onSample, onOutput] = imageWeights(prediction, Math.sqrt(alpha), Math.sqrt(1 - alpha));
    return weightedSum(out * onSample + skip, sample, out * onOutput, output);
  };
  return {
    timesteps,
    drawsNoise: true,
    initNoiseSigma: 1,
    scaleInput: (sample) => sample,
    noised: (image, noise, index) => mixed(image, noise, alphas[timesteps[index]!]!),
    denoised,
    start: () => null,
    step: (state, index, output, sample, noise) => {
      const image = denoised(output, sample, index);
      if (index === steps - 1) return { state, sample: image };
      if (!noise)
        throw new PcppError(
          'E_SHAPE',
          'the sampler of consistency models wants noise in every step',
        );
      return { state, sample: mixed(image, noise, alphas[timesteps[index + 1]!]!) };
    },
  };
}
