/** Images of the model that ships, small enough to be made many times. */

import type { GenerationRequest, GenerationResult, Pipeline } from '../../pcpp/index.js';

/** With guidance: two whole-image steps, four displaced ones, one more on the whole image, and the last. */
export const guidedRequest: GenerationRequest = {
  prompt: 'mountains, the ocean, sunrise, clouds',
  negativePrompt: 'fog',
  width: 128,
  height: 192,
  steps: 8,
  seed: 5,
  warmupSteps: 2,
  cooldownSteps: 1,
};

/** One that is not about to become another picture: at so few steps, one of them whole, many are. */
export const steadyRequest = {
  prompt: 'peaks, a pine forest, a sunny day, fluffy clouds',
  width: 256,
  height: 256,
  steps: 12,
  seed: 7,
} as const;

/** Makes the guided image, but for what is said of another. */
export const makeGuided = (
  pipeline: Pipeline,
  more: Partial<GenerationRequest>,
): Promise<GenerationResult> => pipeline.generate({ ...guidedRequest, ...more }).result;
