/** A prompt, and what it should not be, as the tensors that condition a denoiser. */

import { PcppError } from '../errors.js';
import type { ModelKind } from '../model/config.js';
import type { TextEncoderPart } from '../model/directory.js';
import { feed, floatOutput, inputPort } from '../model/feed.js';
import type { Model } from '../model/model.js';
import { concatBatch, type Tensor, takeBatch, tensor } from '../tensor.js';

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

interface Encoded {
  /** [1, L, D] */
  readonly hidden: Tensor;
  /** [1, P] */
  readonly pooled?: Tensor;
  readonly unknownWords: readonly string[];
  readonly cut: number;
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
  const wanted = model.directory.denoiser.textFeatures;
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

async function encodeOnce(model: Model, text: string): Promise<Encoded> {
  const { outputs, ...rest } = await runEncoder(model, 'text_encoder', text);
  return { hidden: floatOutput(outputs, 'last_hidden_state'), ...rest };
}

/** SDXL: the last hidden layers but one of both encoders side by side, and the pooled text of the second. */
async function encodeTwice(model: Model, text: string): Promise<Encoded> {
  const first = await runEncoder(model, 'text_encoder', text);
  const second = await runEncoder(model, 'text_encoder_2', text);
  return {
    hidden: concatFeatures(lastButOne(first.outputs), lastButOne(second.outputs)),
    pooled: floatOutput(second.outputs, 'text_embeds'),
    unknownWords: first.unknownWords,
    cut: Math.max(first.cut, second.cut),
  };
}

/**
 * SD3: as SDXL, but pooled texts of both; then zeros up to the features that the transformer takes; then, token after token,
 * what T5 gives, or as many zeros as a CLIP has tokens where there is no T5.
 */
async function encodeThrice(model: Model, text: string): Promise<Encoded> {
  const first = await runEncoder(model, 'text_encoder', text);
  const second = await runEncoder(model, 'text_encoder_2', text);
  const clip = concatFeatures(lastButOne(first.outputs), lastButOne(second.outputs));
  const third = model.directory.has('text_encoder_3')
    ? await runEncoder(model, 'text_encoder_3', text)
    : undefined;
  const { textFeatures } = model.directory.denoiser;
  const [, tokens, features] = clip.dims as [number, number, number];
  if (features > textFeatures) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      `the text encoders give ${features} features a token, the denoiser takes ${textFeatures}: they are not of one model`,
    );
  }
  const padded =
    features < textFeatures
      ? concatFeatures(clip, tensor([1, tokens, textFeatures - features]))
      : clip;
  const more = third
    ? floatOutput(third.outputs, 'last_hidden_state')
    : tensor([1, tokens, textFeatures]);
  const pooled = [first, second].map(({ outputs }) => floatOutput(outputs, 'text_embeds'));
  const all = [first, second, ...(third ? [third] : [])];
  return {
    hidden: concatTokens(padded, more),
    pooled: tensor(
      [1, pooled.reduce((sum, { data }) => sum + data.length, 0)],
      Float32Array.from(pooled.flatMap(({ data }) => [...data])),
    ),
    unknownWords: first.unknownWords,
    cut: Math.max(...all.map(({ cut }) => cut)),
  };
}

/** Flux: what T5 gives, and the pooled text of CLIP. */
async function encodeForFlux(model: Model, text: string): Promise<Encoded> {
  const first = await runEncoder(model, 'text_encoder', text);
  const second = await runEncoder(model, 'text_encoder_2', text);
  return {
    hidden: floatOutput(second.outputs, 'last_hidden_state'),
    pooled: floatOutput(first.outputs, 'pooler_output'),
    unknownWords: first.unknownWords,
    cut: second.cut,
  };
}

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

const encoders: Readonly<Record<ModelKind, (model: Model, text: string) => Promise<Encoded>>> = {
  sd: encodeOnce,
  sdxl: encodeTwice,
  sd3: encodeThrice,
  flux: encodeForFlux,
};

type Outputs = Parameters<typeof floatOutput>[0];

async function runEncoder(
  model: Model,
  part: TextEncoderPart,
  text: string,
): Promise<{
  readonly outputs: Outputs;
  readonly unknownWords: readonly string[];
  readonly cut: number;
}> {
  const { ids, unknownWords, cut } = model.tokenizer(part).encode(text);
  const session = await model.session(part);
  const port = inputPort(session, 'input_ids');
  const outputs = await session.run({
    input_ids: feed(port, tensor([1, ids.length], Float32Array.from(ids))),
  });
  return { outputs, unknownWords, cut };
}

/** Optimum exports `hidden_states.0` to `hidden_states.L` for L layers. */
function lastButOne(outputs: Outputs): Tensor {
  const layers = Object.keys(outputs).filter((name) => name.startsWith('hidden_states.')).length;
  if (layers < 2) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      'a text encoder of SDXL or SD3 must put out hidden_states.*: export the whole pipeline with optimum-cli export onnx',
    );
  }
  return floatOutput(outputs, `hidden_states.${layers - 2}`);
}

/** [1, L, A] and [1, L, B] to [1, L, A + B]. */
function concatFeatures(a: Tensor, b: Tensor): Tensor {
  const [, length, wide] = a.dims;
  const more = b.dims[2]!;
  const out = tensor([1, length!, wide! + more]);
  for (let token = 0; token < length!; token++) {
    const start = token * (wide! + more);
    out.data.set(a.data.subarray(token * wide!, (token + 1) * wide!), start);
    out.data.set(b.data.subarray(token * more, (token + 1) * more), start + wide!);
  }
  return out;
}

/** [1, A, D] and [1, B, D] to [1, A + B, D]. @throws PcppError `E_MODEL_CONFIG` if D differs. */
function concatTokens(a: Tensor, b: Tensor): Tensor {
  if (a.dims[2] !== b.dims[2]) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      `text_encoder_3 gives ${b.dims[2]} features a token, the denoiser takes ${a.dims[2]}: they are not of one model`,
    );
  }
  const out = tensor([1, a.dims[1]! + b.dims[1]!, a.dims[2]!]);
  out.data.set(a.data);
  out.data.set(b.data, a.data.length);
  return out;
}

const zerosLike = (encoded: Encoded): Encoded => ({
  hidden: tensor(encoded.hidden.dims),
  ...(encoded.pooled ? { pooled: tensor(encoded.pooled.dims) } : {}),
  unknownWords: [],
  cut: 0,
});

function timeIds(framing: Framing, count: number): Tensor {
  const row = [...framing.originalSize, ...framing.cropTopLeft, ...framing.targetSize];
  return tensor([count, 6], Float32Array.from(new Array(count).fill(row).flat()));
}
