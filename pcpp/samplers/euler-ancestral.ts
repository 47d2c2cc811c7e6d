/** Euler's method with ancestral noise: each step goes below its noise level and adds fresh noise up to it. */

import { PcppError } from '../errors.js';
import { combine, type Sampler } from './sampler.js';
import type { SchedulerConfig } from './scheduler-config.js';
import { atUnitVariance, denoisedAt, levelsOf, slopeWeights } from './variance-exploding.js';

/**
 * @param steps Denoiser evaluations.
 * @throws PcppError `E_MODEL_CONFIG` for settings this sampler does not know, `E_OPTION` for steps out of range.
 */
export function eulerAncestral(config: SchedulerConfig, steps: number): Sampler<null> {
  const { prediction, leading, timesteps, sigmas: noisy } = levelsOf(config, steps);
  const sigmas = [...noisy, 0];
  return {
    timesteps,
    drawsNoise: true,
    ...atUnitVariance(sigmas, leading),
    denoised: denoisedAt(prediction, sigmas),
    start: () => null,
    step: (state, index, output, sample, noise) => {
      if (!noise) throw new PcppError('E_SHAPE', 'the ancestral sampler wants noise in every step');
      const from = sigmas[index]!;
      const to = sigmas[index + 1]!;
      const up = Math.sqrt((to ** 2 * (from ** 2 - to ** 2)) / from ** 2);
      const down = Math.sqrt(to ** 2 - up ** 2);
      const [onSample, onOutput] = slopeWeights(prediction, from, down - from);
      return {
        state,
        sample: combine([
          [onSample, sample],
          [onOutput, output],
          [up, noise],
        ]),
      };
    },
  };
}
