/** Classifier-free guidance: arXiv 2207.12598, in the form that diffusers uses. */

import { PcppError } from '../errors.js';
import type { ModelDirectory } from '../model/directory.js';
import { weightedSum } from '../samplers/sampler.js';
import { type Tensor, takeBatch } from '../tensor.js';
import type { GenerationRequest } from './generation-request.js';

/** A scale of 1 or less is the prompt alone: no negative entry is computed. */
export const isGuided = (guidanceScale: number): boolean => guidanceScale > 1;

/**
 * negative + scale · (positive - negative), element by element, so it may be done on the rows of a patch.
 *
 * @param output [2N, ...], the negative half first.
 * @returns [N, ...]
 * @throws PcppError `E_SHAPE` if the batch cannot be halved.
 */
export function combineGuidance(output: Tensor, guidanceScale: number): Tensor {
  const batch = output.dims[0]!;
  if (batch % 2 !== 0) {
    throw new PcppError('E_SHAPE', `guidance needs an even batch, got [${output.dims}]`);
  }
  return guide(takeBatch(output, 0, batch / 2), takeBatch(output, batch / 2, batch), guidanceScale);
}

/** The same of two tensors. */
export const guide = (negative: Tensor, positive: Tensor, guidanceScale: number): Tensor =>
  weightedSum(1 - guidanceScale, negative, guidanceScale, positive);

/**
 * Guidance by a batch of two, or by an input of the network, as the model has it.
 *
 * @throws PcppError `E_OPTION` if the two entries of a batch are to be parted and there are none.
 */
export function guidanceOf(
  asked: Pick<GenerationRequest, 'guidanceScale' | 'cfgParallel' | 'cfgInterleaved'>,
  { denoiser, defaults }: ModelDirectory,
): { readonly guidanceScale: number; readonly guidanceInput?: number } {
  const wanted = asked.guidanceScale ?? defaults.guidanceScale;
  if (denoiser.guidance === 'batch') return { guidanceScale: wanted };
  if (asked.cfgParallel || asked.cfgInterleaved) {
    throw new PcppError(
      'E_OPTION',
      'cfgParallel and cfgInterleaved are for models that compute every step twice; this one reads its guidance scale as an input, or has none',
    );
  }
  return { guidanceScale: 1, ...(denoiser.guidance === 'input' ? { guidanceInput: wanted } : {}) };
}
