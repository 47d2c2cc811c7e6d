/** A prompt, and what it should not be, as the tensors that condition a denoiser. */

import { PcppError } from '../errors.js';
import type { Model } from '../model/model.js';
import { concatBatch, type Tensor, takeBatch, tensor } from '../tensor.js';
import { guidanceEmbedding } from './guidance-embedding.js';
import { encoders, zerosLike } from './text-encoders.js';

export interface Prompt {
  readonly prompt: string;
  /** Left out: nothing to avoid. SDXL then takes zeros where its model_index.json says so. */
  readonly negativePrompt?: string;
  /** Whether guidance needs a negative entry beside the positive one. */
  readonly guided: boolean;
  /** SDXL only. */
  readonly framing: Framing;
  /** The guidance scale of models that read it as an input. */
  readonly guidance?: number;
}

/** What SDXL is told about the picture's size and place; pixels, vertical first. */
export interface Framing {
  readonly originalSize: readonly [height: number, width: number];
  readonly cropTopLeft: readonly [top: number, left: number];
  readonly targetSize: readonly [height: number, width: number];
}

/** N is 2 with guidance, negative first, otherwise 1. */
export interface Conditioning {
  /** [N, L, D] for `encoder_hidden_states`. */
  readonly hidden: Tensor;
  /** SDXL: [N, P] for `text_embeds`. SD3 and Flux: for `pooled_projections`. */
  readonly pooled?: Tensor;
  /** SDXL: [N, 6] for `time_ids`. */
  readonly timeIds?: Tensor;
  /** Flux: [L, 3] for `txt_ids`, the same for every entry. */
  readonly textPositions?: Tensor;
  /** Flux: [N] for `guidance`. */
  readonly guidance?: Tensor;
  /** Latent consistency models: [1, F] for `timestep_cond`. */
  readonly guidanceEmbedding?: Tensor;
  /** What the sampler's timesteps are multiplied with. @default 1 */
  readonly timestepScale?: number;
}

/** One entry of a batch of two. @param index 0: the negative one. */
export const halfOf = (
  { hidden, pooled, timeIds, guidance, ...same }: Conditioning,
  index: 0 | 1,
): Conditioning => ({
  ...same,
  hidden: takeBatch(hidden, index, index + 1),
  ...(guidance ? { guidance: takeBatch(guidance, index, index + 1) } : {}),
  ...(pooled ? { pooled: takeBatch(pooled, index, index + 1) } : {}),
  ...(timeIds ? { timeIds: takeBatch(timeIds, index, index + 1) } : {}),
});

export interface EncodedPrompt {
  readonly conditioning: Conditioning;
  /** Words that the model does not know, each once. */
  readonly unknownWords: readonly string[];
  /** Tokens of the prompt that were cut off, the most of any encoder. */
  readonly cutTokens: number;
}

/**
 * @throws PcppError `E_MODEL_DIR`, `E_MODEL_CONFIG` or `E_SESSION` if a text encoder is missing, unfit or fails.
 */
export async function encodePrompt(model: Model, request: Prompt): Promise<EncodedPrompt> {
  const { kind } = model.directory;
  const encode = encoders[kind];
  const positive = await encode(model, request.prompt);
  const entries = [positive];
  if (request.guided) {
    const zeros = request.negativePrompt === undefined && model.directory.index.zerosForNoPrompt;
    const negative = zeros
      ? zerosLike(positive)
      : await encode(model, request.negativePrompt ?? '');
    entries.unshift(negative);
  }
  const dim = positive.hidden.dims.at(-1);
  const { textFeatures: wanted, guidanceFeatures } = model.directory.denoiser;
  if (dim !== wanted) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      `the text encoder gives ${dim} features a token, the denoiser takes ${wanted}: they are not of one model`,
    );
  }
  return {
    conditioning: {
      hidden: concatBatch(entries.map((entry) => entry.hidden)),
      ...(positive.pooled ? { pooled: concatBatch(entries.map((entry) => entry.pooled!)) } : {}),
      ...(kind === 'sdxl' ? { timeIds: timeIds(request.framing, entries.length) } : {}),
      ...(request.guidance !== undefined && guidanceFeatures !== undefined
        ? { guidanceEmbedding: guidanceEmbedding(request.guidance, guidanceFeatures) }
        : {}),
      ...(kind === 'flux' ? fluxConditioning(positive.hidden, request.guidance) : {}),
    },
    unknownWords: [...new Set(entries.flatMap((entry) => entry.unknownWords))],
    cutTokens: Math.max(...entries.map((entry) => entry.cut)),
  };
}

/** The whole picture, not cropped. */
export const wholePicture = (height: number, width: number): Framing => ({
  originalSize: [height, width],
  cropTopLeft: [0, 0],
  targetSize: [height, width],
});

/** What Flux is told besides: all words are at one place, and timesteps go from 1 to 0. @param hidden [N, L, D] */
export const fluxConditioning = (
  hidden: Tensor,
  guidance: number | undefined,
): Pick<Conditioning, 'textPositions' | 'guidance' | 'timestepScale'> => ({
  textPositions: tensor([hidden.dims[1]!, 3]),
  ...(guidance === undefined
    ? {}
    : { guidance: tensor([hidden.dims[0]!], new Float32Array(hidden.dims[0]!).fill(guidance)) }),
  timestepScale: 1 / 1000,
});

function timeIds(framing: Framing, count: number): Tensor {
  const row = [...framing.originalSize, ...framing.cropTopLeft, ...framing.targetSize];
  return tensor([count, 6], Float32Array.from(new Array(count).fill(row).flat()));
}
