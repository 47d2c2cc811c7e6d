/** DPM-Solver++ (2M): arXiv 2211.01095, algorithm 2, with midpoint or Heun steps and, if asked, Karras sigmas. */

import * as z from 'zod';
import type { Tensor } from '../tensor.js';
import { combine, type Sampler, weightedSum } from './sampler.js';
import {
  alphasCumprod,
  imageWeights,
  linspace,
  mixed,
  roundHalfEven,
  spacedTimesteps,
} from './schedule.js';
import {
  type DiscreteSettings,
  discreteSettings,
  parseScheduler,
  refuse,
  type SchedulerConfig,
} from './scheduler-config.js';
import { at, karras, timestepOf, trainedSigmas } from './sigmas.js';

const lastSigmas: readonly ('zero' | 'sigma_min')[] = ['zero', 'sigma_min'];
const solverTypes: readonly ('midpoint' | 'heun')[] = ['midpoint', 'heun'];

const own = z.looseObject({
  algorithm_type: z.literal('dpmsolver++').default('dpmsolver++'),
  solver_order: z.union([z.literal(1), z.literal(2)]).default(2),
  solver_type: z.enum(solverTypes).catch('midpoint'),
  lower_order_final: z.boolean().default(true),
  euler_at_final: z.boolean().default(false),
  use_karras_sigmas: z.boolean().nullable().default(false),
  final_sigmas_type: z.enum(lastSigmas).default('zero'),
});

/** What the solver remembers: the image as the evaluation before saw it. */
export type DpmState = Tensor | null;

/**
 * @param steps Denoiser evaluations.
 * @throws PcppError `E_MODEL_CONFIG` for settings this sampler does not know, `E_OPTION` for steps out of range.
 */
export function dpmSolver(config: SchedulerConfig, steps: number): Sampler<DpmState> {
  refuse(config, [
    'thresholding',
    'use_exponential_sigmas',
    'use_beta_sigmas',
    'use_lu_lambdas',
    'use_flow_sigmas',
    'variance_type',
  ]);
  const settings = discreteSettings(config, 'linspace');
  const options = parseScheduler(own, config);
  const alphas = alphasCumprod(settings.schedule);
  if (settings.schedule.zeroTerminalSnr) alphas[alphas.length - 1] = 2 ** -24;
  const trained = trainedSigmas(alphas);
  let timesteps = spaced(settings, steps);
  let sigmas = timesteps.map((t) => at(trained, t));
  if (options.use_karras_sigmas) {
    sigmas = karras(trained.at(-1)!, trained[0]!, steps);
    timesteps = sigmas.map((sigma) => roundHalfEven(timestepOf(trained, sigma)));
  }
  const levels = [...sigmas, options.final_sigmas_type === 'zero' ? 0 : trained[0]!].map(levelOf);
  const isFirstOrder = (index: number): boolean => {
    const isLast = index === steps - 1;
    const short = options.lower_order_final && steps < 15;
    const isLower = options.euler_at_final || short || options.final_sigmas_type === 'zero';
    return options.solver_order === 1 || index === 0 || (isLast && isLower);
  };
  const denoised: Sampler['denoised'] = (output, sample, index) => {
    const { signal, noise } = levels[index]!;
    const [onSample, onOutput] = imageWeights(settings.prediction, signal, noise);
    return weightedSum(onSample, sample, onOutput, output);
  };

  return {
    timesteps,
    drawsNoise: false,
    initNoiseSigma: 1,
    scaleInput: (sample) => sample,
    noised: (image, noise, index) => mixed(image, noise, levels[index]!.signal ** 2),
    denoised,
    start: () => null,
    step: (before, index, output, sample) => {
      const from = levels[index]!;
      const to = levels[index + 1]!;
      const image = denoised(output, sample, index);
      const h = to.lambda - from.lambda;
      const decay = Math.exp(-h) - 1;
      const onSample = to.noise / from.noise;
      const onImage = -to.signal * decay;
      if (isFirstOrder(index) || !before) {
        const moved = combine([
          [onSample, sample],
          [onImage, image],
        ]);
        return { state: image, sample: moved };
      }
      const ratio = (from.lambda - levels[index - 1]!.lambda) / h;
      const onSlope =
        options.solver_type === 'heun'
          ? (to.signal * (decay / h + 1)) / ratio
          : (-0.5 * to.signal * decay) / ratio;
      const moved = combine([
        [onSample, sample],
        [onImage + onSlope, image],
        [-onSlope, before],
      ]);
      return { state: image, sample: moved };
    },
  };
}

interface Level {
  /** Shares of signal and noise: their squares add up to 1. */
  readonly signal: number;
  readonly noise: number;
  /** Half the logarithm of the signal-to-noise ratio. */
  readonly lambda: number;
}

function levelOf(sigma: number): Level {
  const signal = 1 / Math.hypot(sigma, 1);
  return { signal, noise: sigma * signal, lambda: -Math.log(sigma) };
}

/** This scheduler cuts the range once more than others and leaves out the end. */
function spaced(
  { spacing, schedule, stepsOffset }: DiscreteSettings,
  steps: number,
): readonly number[] {
  const { trainSteps } = schedule;
  // Refuses impossible numbers of steps.
  const trailing = spacedTimesteps('trailing', steps, trainSteps, 0);
  switch (spacing) {
    case 'trailing':
      return trailing;
    case 'linspace':
      return linspace(0, trainSteps - 1, steps + 1)
        .slice(1)
        .reverse()
        .map(roundHalfEven);
    case 'leading': {
      const stride = Math.floor(trainSteps / (steps + 1));
      return Array.from({ length: steps }, (_, i) => (steps - i) * stride + stepsOffset);
    }
  }
}
