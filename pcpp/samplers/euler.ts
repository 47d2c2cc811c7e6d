/** Euler's method on the noise level sigma: arXiv 2206.00364, algorithm 2 without churn. */

import * as z from 'zod';
import { tensor } from '../tensor.js';
import { type Sampler, weightedSum } from './sampler.js';
import { alphasCumprod, spacedTimesteps } from './schedule.js';
import {
  discreteSettings,
  parseScheduler,
  refuse,
  type SchedulerConfig,
} from './scheduler-config.js';
import { at, karras, timestepOf, trainedSigmas } from './sigmas.js';

const lastSigmas: readonly ('zero' | 'sigma_min')[] = ['zero', 'sigma_min'];

const own = z.looseObject({
  interpolation_type: z.literal('linear').default('linear'),
  use_karras_sigmas: z.boolean().nullable().default(false),
  final_sigmas_type: z.enum(lastSigmas).default('zero'),
  timestep_type: z.literal('discrete').default('discrete'),
});

/**
 * @param steps Denoiser evaluations.
 * @throws PcppError `E_MODEL_CONFIG` for settings this sampler does not know, `E_OPTION` for steps out of range.
 */
export function euler(config: SchedulerConfig, steps: number): Sampler<null> {
  refuse(config, ['use_exponential_sigmas', 'use_beta_sigmas', 'sigma_min', 'sigma_max']);
  const { schedule, prediction, spacing, stepsOffset } = discreteSettings(config, 'linspace');
  const { use_karras_sigmas, final_sigmas_type } = parseScheduler(own, config);
  const alphas = alphasCumprod(schedule);
  // Diffusers keeps the last sigma finite in this way, so that the latent can be divided by it.
  if (schedule.zeroTerminalSnr) alphas[alphas.length - 1] = 2 ** -24;
  const trained = trainedSigmas(alphas);

  let timesteps = spacedTimesteps(spacing, steps, schedule.trainSteps, stepsOffset);
  let sigmas = timesteps.map((t) => at(trained, t));
  if (use_karras_sigmas) {
    sigmas = karras(sigmas[0]!, sigmas.at(-1)!, steps);
    timesteps = sigmas.map((sigma) => timestepOf(trained, sigma));
  }
  sigmas.push(final_sigmas_type === 'zero' ? 0 : trained[0]!);
  const largest = Math.max(...sigmas);

  return {
    timesteps,
    drawsNoise: false,
    initNoiseSigma: spacing === 'leading' ? Math.hypot(largest, 1) : largest,
    scaleInput: (sample, index) => {
      const scale = 1 / Math.hypot(sigmas[index]!, 1);
      return tensor(
        sample.dims,
        sample.data.map((x) => x * scale),
      );
    },
    start: () => null,
    step: (state, index, output, sample) => {
      const sigma = sigmas[index]!;
      const change = sigmas[index + 1]! - sigma;
      if (prediction === 'epsilon') {
        return { state, sample: weightedSum(1, sample, change, output) };
      }
      // The slope (x - x0) / sigma with x0 = x / (sigma² + 1) - v·sigma / sqrt(sigma² + 1).
      const level = sigma * sigma + 1;
      const onSample = 1 + (change * sigma) / level;
      return { state, sample: weightedSum(onSample, sample, change / Math.sqrt(level), output) };
    },
  };
}
