/** What the text encoders of each kind of model make of one text. */

import { PcppError } from '../errors.js';
import type { ModelKind } from '../model/config.js';
import type { TextEncoderPart } from '../model/directory.js';
import { feed, floatOutput, inputPort } from '../model/feed.js';
import type { Model } from '../model/model.js';
import { type Tensor, tensor } from '../tensor.js';

export interface Encoded {
  /** [1, L, D] */
  readonly hidden: Tensor;
  /** [1, P] */
  readonly pooled?: Tensor;
  readonly unknownWords: readonly string[];
  readonly cut: number;
}

/** By kind of model. */
export const encoders: Readonly<
  Record<ModelKind, (model: Model, text: string) => Promise<Encoded>>
> = {
  sd: encodeOnce,
  sdxl: encodeTwice,
  sd3: encodeThrice,
  flux: encodeForFlux,
};

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

/** A text of which nothing is said. */
export const zerosLike = (encoded: Encoded): Encoded => ({
  hidden: tensor(encoded.hidden.dims),
  ...(encoded.pooled ? { pooled: tensor(encoded.pooled.dims) } : {}),
  unknownWords: [],
  cut: 0,
});
