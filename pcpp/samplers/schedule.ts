/** Noise schedules and timestep spacings as diffusers defines them, in float64. */

import { PcppError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { weightedSum } from './sampler.js';
import type { Prediction } from './scheduler-config.js';

export type BetaSchedule = 'linear' | 'scaled_linear' | 'squaredcos_cap_v2';
export type TimestepSpacing = 'leading' | 'trailing' | 'linspace';

export interface NoiseSchedule {
  /** Timesteps of training, usually 1000. */
  readonly trainSteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: BetaSchedule;
  /** Takes the place of the three above. */
  readonly trainedBetas: readonly number[] | null;
  /** Rescale so that the last timestep is pure noise (arXiv 2305.08891, algorithm 1). */
  readonly zeroTerminalSnr: boolean;
}

/** ᾱ_t, the share of signal variance left at every timestep of training, falling from almost 1. */
export function alphasCumprod(schedule: NoiseSchedule): Float64Array {
  const betas = betasOf(schedule);
  const alphas = new Float64Array(betas.length);
  let product = 1;
  for (let t = 0; t < betas.length; t++) {
    product *= 1 - betas[t]!;
    alphas[t] = product;
  }
  return schedule.zeroTerminalSnr ? withZeroTerminalSnr(alphas) : alphas;
}

function betasOf(schedule: NoiseSchedule): readonly number[] {
  const { trainSteps, betaStart, betaEnd, betaSchedule, trainedBetas } = schedule;
  if (trainedBetas) return trainedBetas;
  switch (betaSchedule) {
    case 'linear':
      return linspace(betaStart, betaEnd, trainSteps);
    case 'scaled_linear':
      return linspace(Math.sqrt(betaStart), Math.sqrt(betaEnd), trainSteps).map(
        (root) => root ** 2,
      );
    case 'squaredcos_cap_v2': {
      const bar = (t: number): number => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
      return Array.from({ length: trainSteps }, (_, t) =>
        Math.min(1 - bar((t + 1) / trainSteps) / bar(t / trainSteps), 0.999),
      );
    }
  }
}

function withZeroTerminalSnr(alphas: Float64Array): Float64Array {
  const first = Math.sqrt(alphas[0]!);
  const last = Math.sqrt(alphas[alphas.length - 1]!);
  return alphas.map((alpha) => (((Math.sqrt(alpha) - last) * first) / (first - last)) ** 2);
}

/**
 * The timesteps of training that `steps` evaluations visit, from noise to image.
 *
 * @param offset Added to every timestep of the leading spacing (`steps_offset`).
 * @returns Integers, except for linspace, whose values may be fractions.
 * @throws PcppError `E_OPTION` if there are more steps than the schedule can tell apart.
 */
export function spacedTimesteps(
  spacing: TimestepSpacing,
  steps: number,
  trainSteps: number,
  offset: number,
): readonly number[] {
  if (!Number.isInteger(steps) || steps < 1 || steps > trainSteps) {
    throw new PcppError('E_OPTION', `steps must be an integer in 1..${trainSteps}, got ${steps}`);
  }
  const timesteps = spaced(spacing, steps, trainSteps, offset);
  if (timesteps[0]! > trainSteps - 1) {
    throw new PcppError(
      'E_OPTION',
      `${steps} steps begin at timestep ${timesteps[0]}, but training ended at ${trainSteps - 1}: take fewer steps`,
    );
  }
  return timesteps;
}

function spaced(
  spacing: TimestepSpacing,
  steps: number,
  trainSteps: number,
  offset: number,
): readonly number[] {
  switch (spacing) {
    case 'linspace':
      return linspace(0, trainSteps - 1, steps).reverse();
    case 'leading': {
      const stride = Math.floor(trainSteps / steps);
      return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * stride + offset);
    }
    case 'trailing': {
      const stride = trainSteps / steps;
      return Array.from({ length: steps }, (_, i) => roundHalfEven(trainSteps - i * stride) - 1);
    }
  }
}

/** `count` evenly spaced values, both ends included; one value is `from`. */
export function linspace(from: number, to: number, count: number): number[] {
  if (count === 1) return [from];
  const stride = (to - from) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? to : from + i * stride));
}

/** Rounds as numpy does: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** An image with noise, `alpha` the share of the image: their squares add up to 1. */
export const mixed = (image: Tensor, noise: Tensor, alpha: number): Tensor =>
  weightedSum(Math.sqrt(alpha), image, Math.sqrt(1 - alpha), noise);

/**
 * Weights that give the image back.
 *
 * @param signal Share of the image in the sample, and `noise` that of the noise: their squares add up to 1.
 */
export const imageWeights = (
  prediction: Prediction,
  signal: number,
  noise: number,
): readonly [onSample: number, onOutput: number] =>
  prediction === 'epsilon' ? [1 / signal, -noise / signal] : [signal, -noise];
