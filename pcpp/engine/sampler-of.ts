/** The sampler of one image. */

import type { ModelDirectory } from '../model/directory.js';
import { createSampler } from '../samplers/create-sampler.js';
import { shiftOfSize } from '../samplers/flow-match-euler.js';
import type { Sampler } from '../samplers/sampler.js';
import type { GenerationSettings } from './generation-settings.js';

/** @throws PcppError as `createSampler`. */
export function samplerOf(
  { kind, denoiser, scheduler }: ModelDirectory,
  {
    steps,
    skippedSteps,
    sampler: name,
    latent,
  }: Pick<GenerationSettings, 'steps' | 'skippedSteps' | 'sampler' | 'latent'>,
): Sampler {
  const options = { steps, skippedSteps, name };
  if (kind !== 'sd3' && kind !== 'flux') return createSampler(scheduler, options);
  const tokens = (latent.height * latent.width) / denoiser.latentMultiple ** 2;
  const mu = shiftOfSize(scheduler, tokens);
  const shift = { even: kind === 'flux', ...(mu === undefined ? {} : { mu }) };
  return createSampler(scheduler, { ...options, shift });
}
