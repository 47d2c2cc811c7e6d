/** Euler's method on a straight path from image to noise: rectified flow, arXiv 2209.03003 and 2403.03206. */

import * as z from 'zod';
import { PcppError } from '../errors.js';
import { type Sampler, weightedSum } from './sampler.js';
import { linspace } from './schedule.js';
import { parseScheduler, refuse, type SchedulerConfig } from './scheduler-config.js';

const shiftTypes: readonly ('exponential' | 'linear')[] = ['exponential', 'linear'];

const own = z.looseObject({
  num_train_timesteps: z.int().min(1).default(1000),
  shift: z.number().positive().default(1),
  use_dynamic_shifting: z.boolean().default(false),
  time_shift_type: z.enum(shiftTypes).default('exponential'),
  base_image_seq_len: z.number().positive().default(256),
  max_image_seq_len: z.number().positive().default(4096),
  base_shift: z.number().default(0.5),
  max_shift: z.number().default(1.15),
});

/** Of a walk whose shift depends on the size of the image. */
export interface FlowShift {
  readonly mu: number;
  /**
   * Sigmas go evenly from 1 to 1 / steps before they are shifted, as the pipeline of Flux has it; otherwise to that of the last
   * timestep of training.
   * @default false
   */
  readonly even?: boolean;
}

/**
 * @param tokens Of the whole image.
 * @returns The shift mu, on a line through two sizes that the file names; undefined where the shift is fixed.
 */
export function shiftOfSize(config: SchedulerConfig, tokens: number): number | undefined {
  const settings = parseScheduler(own, config);
  if (!settings.use_dynamic_shifting) return undefined;
  const { base_image_seq_len: small, max_image_seq_len: large } = settings;
  const slope = (settings.max_shift - settings.base_shift) / (large - small);
  return settings.base_shift + slope * (tokens - small);
}

/**
 * The denoiser predicts the velocity noise - image.
 *
 * @param steps Denoiser evaluations.
 * @param shift What the image size asks for; needed where the file says `use_dynamic_shifting`.
 * @throws PcppError `E_MODEL_CONFIG` for settings this sampler does not know, `E_OPTION` for steps out of range.
 */
export function flowMatchEuler(
  config: SchedulerConfig,
  steps: number,
  { mu, even = false }: Partial<FlowShift> = {},
): Sampler<null> {
  refuse(config, [
    'invert_sigmas',
    'shift_terminal',
    'stochastic_sampling',
    'use_beta_sigmas',
    'use_exponential_sigmas',
    'use_karras_sigmas',
  ]);
  const settings = parseScheduler(own, config);
  const train = settings.num_train_timesteps;
  if (!Number.isInteger(steps) || steps < 1 || steps > train) {
    throw new PcppError('E_OPTION', `steps must be an integer in 1..${train}, got ${steps}`);
  }
  if (settings.use_dynamic_shifting && mu === undefined) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      'scheduler_config.json: use_dynamic_shifting needs the shift mu of the image size, which this model kind does not define',
    );
  }
  const byShift = (x: number): number => (settings.shift * x) / (1 + (settings.shift - 1) * x);
  const byMu = (x: number): number => {
    const weight = settings.time_shift_type === 'exponential' ? Math.exp(mu!) : mu!;
    return weight / (weight + (1 / x - 1));
  };
  const last = even ? 1 / steps : 1 / train;
  // Diffusers shifts twice with a fixed shift: the end of the range first, then every value in it.
  const sigmas = settings.use_dynamic_shifting
    ? linspace(1, last, steps).map(byMu)
    : linspace(1, even ? last : byShift(last), steps).map(byShift);
  const timesteps = sigmas.map((sigma) => sigma * train);
  sigmas.push(0);

  return {
    timesteps,
    drawsNoise: false,
    initNoiseSigma: 1,
    scaleInput: (sample) => sample,
    noised: (image, noise, index) => weightedSum(1 - sigmas[index]!, image, sigmas[index]!, noise),
    denoised: (output, sample, index) => weightedSum(1, sample, -sigmas[index]!, output),
    start: () => null,
    step: (state, index, output, sample) => ({
      state,
      sample: weightedSum(1, sample, sigmas[index + 1]! - sigmas[index]!, output),
    }),
  };
}
