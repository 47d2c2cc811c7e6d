/**
 * Pseudo numerical methods, linear multistep: arXiv 2202.09778, formulas 11 and 12, without the Runge-Kutta start, which
 * is what Stable Diffusion 1.x names. It evaluates the second timestep twice, so once more than it has steps.
 */

import * as z from 'zod';
import { PcppError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { combine, type Sampler, weightedSum } from './sampler.js';
import { alphasCumprod, imageWeights, mixed, roundHalfEven, spacedTimesteps } from './schedule.js';
import { discreteSettings, parseScheduler, type SchedulerConfig } from './scheduler-config.js';

const own = z.looseObject({
  skip_prk_steps: z.boolean().default(false),
  set_alpha_to_one: z.boolean().default(false),
});

export interface PndmState {
  /** The last outputs, at most four, newest last. */
  readonly outputs: readonly Tensor[];
  /** The latent before the first step, which the second evaluation goes back to. */
  readonly first: Tensor | undefined;
}

/** Adams-Bashforth weights for the newest output first, by how many there are. */
const weights: readonly (readonly number[])[] = [
  [],
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

/**
 * @param steps One less than the evaluations, unless it is 1.
 * @throws PcppError `E_MODEL_CONFIG` for settings this sampler does not know, `E_OPTION` for steps out of range.
 */
export function pndm(config: SchedulerConfig, steps: number): Sampler<PndmState> {
  const { schedule, prediction, spacing, stepsOffset } = discreteSettings(config, 'leading');
  const { skip_prk_steps, set_alpha_to_one } = parseScheduler(own, config);
  if (config['_class_name'] === 'PNDMScheduler' && !skip_prk_steps) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      'scheduler_config.json: skip_prk_steps false is not supported; set it to true, or choose another sampler with --sampler',
    );
  }
  const alphas = alphasCumprod(schedule);
  const last = set_alpha_to_one ? 1 : alphas[0]!;
  const once = spacedTimesteps(spacing, steps, schedule.trainSteps, stepsOffset).map(roundHalfEven);
  const stride = Math.floor(schedule.trainSteps / steps);
  // The second timestep twice: first to correct the first step, then to go on.
  const timesteps = steps === 1 ? once : [once[0]!, once[1]!, ...once.slice(1)];
  const alphaAt = (timestep: number): number => (timestep >= 0 ? alphas[timestep]! : last);

  return {
    timesteps,
    drawsNoise: false,
    initNoiseSigma: 1,
    scaleInput: (sample) => sample,
    noised: (image, noise, index) => mixed(image, noise, alphas[timesteps[index]!]!),
    denoised: (output, sample, index) => {
      const alpha = alphas[timesteps[index]!]!;
      const [onSample, onOutput] = imageWeights(prediction, Math.sqrt(alpha), Math.sqrt(1 - alpha));
      return weightedSum(onSample, sample, onOutput, output);
    },
    start: () => ({ outputs: [], first: undefined }),
    step: (state, index, output, sample) => {
      if (index === 1) {
        const mean = combine([
          [1 / 2, output],
          [1 / 2, state.outputs.at(-1)!],
        ]);
        const [from, to] = [timesteps[index]! + stride, timesteps[index]!];
        const moved = move(prediction, alphaAt(from), alphaAt(to), mean, state.first!);
        return { state: { ...state, first: undefined }, sample: moved };
      }
      const outputs = [...state.outputs.slice(-3), output];
      const blend = combine(
        weights[outputs.length]!.map((weight, back) => [weight, outputs.at(-1 - back)!] as const),
      );
      const [from, to] = [timesteps[index]!, timesteps[index]! - stride];
      const moved = move(prediction, alphaAt(from), alphaAt(to), blend, sample);
      return { state: { outputs, first: index === 0 ? sample : undefined }, sample: moved };
    },
  };
}

/** Formula 9 of arXiv 2202.09778, from signal share `from` to signal share `to`. */
function move(
  prediction: string,
  from: number,
  to: number,
  output: Tensor,
  sample: Tensor,
): Tensor {
  const onSample = Math.sqrt(to / from);
  const onNoise = -(to - from) / (from * Math.sqrt(1 - to) + Math.sqrt(from * (1 - from) * to));
  if (prediction === 'epsilon') {
    return combine([
      [onSample, sample],
      [onNoise, output],
    ]);
  }
  // epsilon = sqrt(alpha)·v + sqrt(1 - alpha)·x
  return combine([
    [onSample + onNoise * Math.sqrt(1 - from), sample],
    [onNoise * Math.sqrt(from), output],
  ]);
}
