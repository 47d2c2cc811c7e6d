/** Euler's method on the noise level sigma: arXiv 2206.00364, algorithm 2 without churn. */

import * as z from 'zod';
import { type Sampler, weightedSum } from './sampler.js';
import { parseScheduler, refuse, type SchedulerConfig } from './scheduler-config.js';
import { karras, timestepOf } from './sigmas.js';
import { atUnitVariance, denoisedAt, levelsOf, slopeWeights } from './variance-exploding.js';

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
  const { use_karras_sigmas, final_sigmas_type } = parseScheduler(own, config);
  const { prediction, leading, trained, ...spaced } = levelsOf(config, steps);
  const noisy = use_karras_sigmas
    ? karras(spaced.sigmas[0]!, spaced.sigmas.at(-1)!, steps)
    : spaced.sigmas;
  const sigmas = [...noisy, final_sigmas_type === 'zero' ? 0 : trained[0]!];
  return {
    timesteps: use_karras_sigmas
      ? noisy.map((sigma) => timestepOf(trained, sigma))
      : spaced.timesteps,
    drawsNoise: false,
    ...atUnitVariance(sigmas, leading),
    denoised: denoisedAt(prediction, sigmas),
    start: () => null,
    step: (state, index, output, sample) => {
      const sigma = sigmas[index]!;
      const [onSample, onOutput] = slopeWeights(prediction, sigma, sigmas[index + 1]! - sigma);
      return { state, sample: weightedSum(onSample, sample, onOutput, output) };
    },
  };
}
