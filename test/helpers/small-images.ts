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

/** Makes that image, but for what is said of another. */
export const makeGuided = (
  pipeline: Pipeline,
  more: Partial<GenerationRequest>,
): Promise<GenerationResult> => pipeline.generate({ ...guidedRequest, ...more }).result;
