/** What Euler's samplers share: a sample is the image plus sigma times noise, and the model sees it at unit variance. */

import { tensor } from '../tensor.js';
import { type Sampler, weightedSum } from './sampler.js';
import { alphasCumprod, imageWeights, spacedTimesteps } from './schedule.js';
import { discreteSettings, type Prediction, type SchedulerConfig } from './scheduler-config.js';
import { at, trainedSigmas } from './sigmas.js';

interface Levels {
  readonly prediction: Prediction;
  readonly leading: boolean;
  /** Sigma at every timestep of training. */
  readonly trained: readonly number[];
  readonly timesteps: readonly number[];
  /** Sigma at each of `timesteps`. */
  readonly sigmas: readonly number[];
}

/** @throws PcppError `E_MODEL_CONFIG` for settings that are not known, `E_OPTION` for steps out of range. */
export function levelsOf(config: SchedulerConfig, steps: number): Levels {
  const { schedule, prediction, spacing, stepsOffset } = discreteSettings(config, 'linspace');
  const alphas = alphasCumprod(schedule);
  // Diffusers keeps the last sigma finite in this way, so that the latent can be divided by it.
  if (schedule.zeroTerminalSnr) alphas[alphas.length - 1] = 2 ** -24;
  const trained = trainedSigmas(alphas);
  const timesteps = spacedTimesteps(spacing, steps, schedule.trainSteps, stepsOffset);
  const sigmas = timesteps.map((t) => at(trained, t));
  return { prediction, leading: spacing === 'leading', trained, timesteps, sigmas };
}

/** @param leading Whether the timesteps leave out the noisiest, so that the first sample is not noise alone. */
export function atUnitVariance(
  sigmas: readonly number[],
  leading: boolean,
): Pick<Sampler<null>, 'initNoiseSigma' | 'scaleInput' | 'noised'> {
  const largest = Math.max(...sigmas);
  return {
    initNoiseSigma: leading ? Math.hypot(largest, 1) : largest,
    noised: (image, noise, index) => weightedSum(1, image, sigmas[index]!, noise),
    scaleInput: (sample, index) => {
      const scale = 1 / Math.hypot(sigmas[index]!, 1);
      return tensor(
        sample.dims,
        sample.data.map((x) => x * scale),
      );
    },
  };
}

/** Weights of sample and output that give the image x0. */
function weightsAt(
  prediction: Prediction,
  sigma: number,
): readonly [onSample: number, onOutput: number] {
  // Of the sample at unit variance.
  const norm = Math.hypot(sigma, 1);
  const [onSample, onOutput] = imageWeights(prediction, 1 / norm, sigma / norm);
  return [onSample / norm, onOutput];
}

export const denoisedAt =
  (prediction: Prediction, sigmas: readonly number[]): Sampler['denoised'] =>
  (output, sample, index) => {
    const [onSample, onOutput] = weightsAt(prediction, sigmas[index]!);
    return weightedSum(onSample, sample, onOutput, output);
  };

/** Weights of sample and output in a step along the slope (x - x0) / sigma, from `sigma` to `sigma + change`. */
export function slopeWeights(
  prediction: Prediction,
  sigma: number,
  change: number,
): readonly [onSample: number, onOutput: number] {
  const [onSample, onOutput] = weightsAt(prediction, sigma);
  const share = change / sigma;
  return [1 + share * (1 - onSample), -share * onOutput];
}
