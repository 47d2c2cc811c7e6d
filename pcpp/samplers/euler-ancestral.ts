/** Euler's method with ancestral noise: each step goes below its noise level and adds fresh noise up to it. */

import { PcppError } from '../errors.js';
import { tensor } from '../tensor.js';
import { combine, type Sampler } from './sampler.js';
import { alphasCumprod, spacedTimesteps } from './schedule.js';
import { discreteSettings, type SchedulerConfig } from './scheduler-config.js';
import { at, trainedSigmas } from './sigmas.js';

/**
 * @param steps Denoiser evaluations.
 * @throws PcppError `E_MODEL_CONFIG` for settings this sampler does not know, `E_OPTION` for steps out of range.
 */
export function eulerAncestral(config: SchedulerConfig, steps: number): Sampler<null> {
  const { schedule, prediction, spacing, stepsOffset } = discreteSettings(config, 'linspace');
  const alphas = alphasCumprod(schedule);
  if (schedule.zeroTerminalSnr) alphas[alphas.length - 1] = 2 ** -24;
  const trained = trainedSigmas(alphas);
  const timesteps = spacedTimesteps(spacing, steps, schedule.trainSteps, stepsOffset);
  const sigmas = [...timesteps.map((t) => at(trained, t)), 0];
  const largest = Math.max(...sigmas);
  return {
    timesteps,
    drawsNoise: true,
    initNoiseSigma: spacing === 'leading' ? Math.hypot(largest, 1) : largest,
    scaleInput: (sample, index) => {
      const scale = 1 / Math.hypot(sigmas[index]!, 1);
      return tensor(
        sample.dims,
        sample.data.map((x) => x * scale),
      );
    },
    start: () => null,
    step: (state, index, output, sample, noise) => {
      if (!noise) throw new PcppError('E_SHAPE', 'the ancestral sampler wants noise in every step');
      const from = sigmas[index]!;
      const to = sigmas[index + 1]!;
      const up = Math.sqrt((to ** 2 * (from ** 2 - to ** 2)) / from ** 2);
      const down = Math.sqrt(to ** 2 - up ** 2);
      const change = down - from;
      if (prediction === 'epsilon') {
        return {
          state,
          sample: combine([
            [1, sample],
            [change, output],
            [up, noise],
          ]),
        };
      }
      // The slope (x - x0) / sigma with x0 = x / (sigma² + 1) - v·sigma / sqrt(sigma² + 1).
      const level = from * from + 1;
      return {
        state,
        sample: combine([
          [1 + (change * from) / level, sample],
          [change / Math.sqrt(level), output],
          [up, noise],
        ]),
      };
    },
  };
}
