/** How long steps take on this device: a few of them, with messages of the right size that say nothing. */

import { borderBytes } from '../partition/wire.js';
import type { DenoisePatch } from './denoise-patch.js';
import type { PatchDenoiser } from './patch-denoiser.js';

/** Seconds. */
export interface StepTimes {
  readonly whole: number;
  readonly displaced: number;
  /** Latent rows of the displaced step. */
  readonly rows: number;
}

/** Whole-image steps of a trial; the first one, which also warms caches and memory up, is not counted. */
export const trialWarmup = 3;
/** All of them; of the displaced ones those without messages are not counted. */
export const trialSteps = 8;
/** Where steps are so slow, one says enough. */
const enoughSeconds = 2;

/** @param trial Takes messages that are not residuals, and `trialWarmup` whole-image steps of `trialSteps`. */
export async function timePatchSteps(
  trial: DenoisePatch,
  { plan, index }: PatchDenoiser,
): Promise<StepTimes> {
  const whole = await timeRuns(0, trialWarmup, 1, (step) => trial.advance(step, new Map()));
  const first = trialWarmup;
  const displaced = await timeRuns(first, trialSteps, plan.age, async (step) => {
    const messages = trial
      .senders(step)
      .map((from) => [from, new Uint8Array(borderBytes(plan, from, index))] as const);
    await trial.advance(step, new Map(messages));
    for (const to of trial.readers(step)) trial.borderFor(to, step);
  });
  return { whole, displaced, rows: plan.bounds[index + 1]! - plan.bounds[index]! };
}

/**
 * @returns Seconds of the fastest of the steps [from + ignored, end), fewer if they are slow. Other work on the machine
 *   only adds, and it adds at random: ways to make an image are compared by what they take without it.
 */
export async function timeRuns(
  from: number,
  end: number,
  ignored: number,
  run: (step: number) => Promise<void>,
): Promise<number> {
  for (let step = from; step < from + ignored; step++) await run(step);
  let least = Number.POSITIVE_INFINITY;
  for (let step = from + ignored, sum = 0; step < end && sum < enoughSeconds; step++) {
    const started = performance.now();
    await run(step);
    const seconds = (performance.now() - started) / 1000;
    least = Math.min(least, seconds);
    sum += seconds;
  }
  return least;
}
