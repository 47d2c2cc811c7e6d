/** DDIM without added noise (eta 0): arXiv 2010.02502, formula 12. */

import * as z from 'zod';
import { PcppError } from '../errors.js';
import { type Tensor, tensor } from '../tensor.js';
import { requireSameShape, type Sampler } from './sampler.js';
import { alphasCumprod, imageWeights, mixed, roundHalfEven, spacedTimesteps } from './schedule.js';
import {
  discreteSettings,
  type Prediction,
  parseScheduler,
  refuse,
  type SchedulerConfig,
} from './scheduler-config.js';

const own = z.looseObject({
  // The class of diffusers defaults to true, but its pipelines for latents switch it off.
  clip_sample: z.boolean().default(false),
  clip_sample_range: z.number().positive().default(1),
  set_alpha_to_one: z.boolean().default(true),
});

/**
 * @param steps Denoiser evaluations.
 * @throws PcppError `E_MODEL_CONFIG` for settings this sampler does not know, `E_OPTION` for steps out of range.
 */
export function ddim(config: SchedulerConfig, steps: number): Sampler<null> {
  refuse(config, ['thresholding']);
  const { schedule, prediction, spacing, stepsOffset } = discreteSettings(config, 'leading');
  const { clip_sample, clip_sample_range, set_alpha_to_one } = parseScheduler(own, config);
  const alphas = alphasCumprod(schedule);
  const timesteps = spacedTimesteps(spacing, steps, schedule.trainSteps, stepsOffset).map(
    roundHalfEven,
  );
  if (prediction === 'epsilon' && alphas[timesteps[0]!] === 0) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      'scheduler_config.json: rescale_betas_zero_snr needs prediction_type v_prediction, because nothing of the image is left in pure noise',
    );
  }
  const last = set_alpha_to_one ? 1 : alphas[0]!;
  const stride = Math.floor(schedule.trainSteps / steps);
  const clip = clip_sample ? clip_sample_range : Number.POSITIVE_INFINITY;
  return {
    timesteps,
    drawsNoise: false,
    initNoiseSigma: 1,
    scaleInput: (sample) => sample,
    noised: (image, noise, index) => mixed(image, noise, alphas[timesteps[index]!]!),
    denoised: (output, sample, index) => {
      requireSameShape(sample, output);
      const image = imageIn(prediction, alphas[timesteps[index]!]!, clip);
      return tensor(
        sample.dims,
        sample.data.map((x, k) => image(x, output.data[k]!)),
      );
    },
    start: () => null,
    step: (state, index, output, sample) => {
      const next = timesteps[index]! - stride;
      const from = alphas[timesteps[index]!]!;
      const to = next >= 0 ? alphas[next]! : last;
      return { state, sample: move(prediction, from, to, clip, output, sample) };
    },
  };
}

/** What the image is where the sample is `x` and the network says `y`. */
function imageIn(
  prediction: Prediction,
  alpha: number,
  clip: number,
): (x: number, y: number) => number {
  const [onSample, onOutput] = imageWeights(prediction, Math.sqrt(alpha), Math.sqrt(1 - alpha));
  return (x, y) => Math.min(Math.max(onSample * x + onOutput * y, -clip), clip);
}

/** From signal share `from` to signal share `to`. */
function move(
  prediction: Prediction,
  from: number,
  to: number,
  clip: number,
  output: Tensor,
  sample: Tensor,
): Tensor {
  requireSameShape(sample, output);
  const signal = Math.sqrt(from);
  const noise = Math.sqrt(1 - from);
  const nextSignal = Math.sqrt(to);
  const nextNoise = Math.sqrt(1 - to);
  const image = imageIn(prediction, from, clip);
  const moved = new Float32Array(sample.data.length);
  for (let k = 0; k < moved.length; k++) {
    const x = sample.data[k]!;
    const y = output.data[k]!;
    const epsilon = prediction === 'epsilon' ? y : signal * y + noise * x;
    moved[k] = nextSignal * image(x, y) + nextNoise * epsilon;
  }
  return tensor(sample.dims, moved);
}
