/** What the configuration files of a model say, in our own words. Nothing is guessed: a missing field is an error. */

import * as z from 'zod';
import { PcppError } from '../errors.js';
import { parseFile } from './json-file.js';

/**
 * `sd`: one text encoder (Stable Diffusion 1.x, 2.x and kin). `sdxl`: two, with size conditioning. `sd3`: a transformer in the
 * place of the UNet, and up to three text encoders. `flux`: a transformer that reads tokens, a CLIP and a T5.
 */
export type ModelKind = 'sd' | 'sdxl' | 'sd3' | 'flux';

export interface ModelIndex {
  readonly kind: ModelKind;
  /** SDXL: a prompt that is left out is all zeros instead of an encoded empty text. */
  readonly zerosForNoPrompt: boolean;
}

/** Of the network that denoises: a UNet, or a transformer. */
export interface DenoiserConfig {
  readonly latentChannels: number;
  /** Latent rows and columns must be divisible by this: the deepest level, or the grid of tokens, has whole ones. */
  readonly latentMultiple: number;
  /** The most latent rows or columns that positions are known for; null: any number. */
  readonly latentLimit: number | null;
  /**
   * How it is guided: by a batch of two, by the guidance scale as an input, or, if it was distilled further, not at all.
   */
  readonly guidance: 'batch' | 'input' | 'none';
  /** Features that the guidance scale comes in as an input; absent: as the number that it is. */
  readonly guidanceFeatures?: number;
  /** D of `encoder_hidden_states` [N, L, D]. */
  readonly textFeatures: number;
  /** Latent height and width of training, where the file knows it. */
  readonly sampleSize: readonly [height: number, width: number] | null;
}

export interface VaeConfig {
  /** Pixels per latent row or column. */
  readonly scaleFactor: number;
  /** Latents are divided by it before decoding. */
  readonly scalingFactor: number;
  /** And then this is added. */
  readonly shiftFactor: number;
}

/** The settings of a request that names none. */
export interface ModelDefaults {
  readonly steps: number;
  readonly guidanceScale: number;
  /** Pixels; null where the model names no size. */
  readonly width: number | null;
  /** Pixels; null where the model names no size. */
  readonly height: number | null;
}

/** Pipeline classes of model_index.json; optimum writes them with a prefix. */
const kinds: Readonly<Record<string, ModelKind>> = {
  StableDiffusionPipeline: 'sd',
  LatentConsistencyModelPipeline: 'sd',
  StableDiffusionXLPipeline: 'sdxl',
  StableDiffusion3Pipeline: 'sd3',
  FluxPipeline: 'flux',
};

const index = z.looseObject({
  _class_name: z.string(),
  force_zeros_for_empty_prompt: z.boolean().default(true),
});

/** @throws PcppError `E_MODEL_CONFIG` if it is another pipeline than the supported ones. */
export function modelIndexOf(json: unknown, path: string): ModelIndex {
  const values = parseFile(index, json, path);
  const kind = kinds[values._class_name.replace(/^(ORT|Onnx)/, '')];
  if (!kind) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      `${path}: pipeline ${values._class_name} is not supported; supported are ${Object.keys(kinds).join(', ')}`,
    );
  }
  return { kind, zerosForNoPrompt: kind === 'sdxl' && values.force_zeros_for_empty_prompt };
}

const positive = z.int().positive();

const unet = z.looseObject({
  in_channels: positive,
  out_channels: positive,
  block_out_channels: z.array(positive).min(1),
  cross_attention_dim: positive,
  sample_size: z.union([positive, z.tuple([positive, positive])]).nullish(),
  time_cond_proj_dim: positive.nullish(),
  class_embed_type: z.null().optional(),
  encoder_hid_dim_type: z.null().optional(),
});

/** @throws PcppError `E_MODEL_CONFIG` for fields that are missing or ask for inputs that nobody supplies. */
export function unetConfigOf(json: unknown, path: string): DenoiserConfig {
  const values = parseFile(unet, json, path);
  if (values.in_channels !== values.out_channels) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      `${path}: in_channels ${values.in_channels} and out_channels ${values.out_channels} differ: inpainting and editing models are not supported`,
    );
  }
  const features = values.time_cond_proj_dim;
  return {
    latentChannels: values.in_channels,
    latentMultiple: 2 ** (values.block_out_channels.length - 1),
    latentLimit: null,
    ...(features ? { guidance: 'input', guidanceFeatures: features } : { guidance: 'batch' }),
    textFeatures: values.cross_attention_dim,
    sampleSize: bothSides(values.sample_size),
  };
}

const bothSides = (
  size: number | readonly [height: number, width: number] | null | undefined,
): DenoiserConfig['sampleSize'] => (typeof size === 'number' ? [size, size] : (size ?? null));

const transformer = z.looseObject({
  _class_name: z.literal('SD3Transformer2DModel').default('SD3Transformer2DModel'),
  in_channels: positive,
  out_channels: positive,
  patch_size: positive,
  joint_attention_dim: positive,
  pos_embed_max_size: positive,
  sample_size: positive.nullish(),
});

/** @throws PcppError `E_MODEL_CONFIG` for another transformer than that of Stable Diffusion 3, or missing fields. */
export function transformerConfigOf(json: unknown, path: string): DenoiserConfig {
  const values = parseFile(transformer, json, path);
  if (values.in_channels !== values.out_channels) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      `${path}: in_channels ${values.in_channels} and out_channels ${values.out_channels} differ: editing models are not supported`,
    );
  }
  return {
    latentChannels: values.in_channels,
    latentMultiple: values.patch_size,
    latentLimit: values.patch_size * values.pos_embed_max_size,
    guidance: 'batch',
    textFeatures: values.joint_attention_dim,
    sampleSize: bothSides(values.sample_size),
  };
}

/** Latent rows, and columns, in a token of Flux. */
const packing = 2;

const flux = z.looseObject({
  _class_name: z.literal('FluxTransformer2DModel').default('FluxTransformer2DModel'),
  in_channels: positive.multipleOf(packing ** 2),
  out_channels: z.null('editing models are not supported').optional(),
  patch_size: z.literal(1),
  joint_attention_dim: positive,
  guidance_embeds: z.boolean(),
});

/** @throws PcppError `E_MODEL_CONFIG` for another transformer than that of Flux, or missing fields. */
export function fluxConfigOf(json: unknown, path: string): DenoiserConfig {
  const values = parseFile(flux, json, path);
  return {
    latentChannels: values.in_channels / packing ** 2,
    latentMultiple: packing,
    latentLimit: null,
    guidance: values.guidance_embeds ? 'input' : 'none',
    textFeatures: values.joint_attention_dim,
    // The file knows no size; this is the pipeline's.
    sampleSize: [128, 128],
  };
}

const vae = z.looseObject({
  _class_name: z.literal('AutoencoderKL').default('AutoencoderKL'),
  block_out_channels: z.array(positive).min(1),
  // The default of AutoencoderKL itself: the files of the first Stable Diffusion do not have the field.
  scaling_factor: z.number().positive().default(0.18215),
  shift_factor: z.number().nullish(),
  latents_mean: z.null().optional(),
  latents_std: z.null().optional(),
});

/** @throws PcppError `E_MODEL_CONFIG` for another autoencoder than AutoencoderKL, or missing fields. */
export function vaeConfigOf(json: unknown, path: string): VaeConfig {
  const values = parseFile(vae, json, path);
  return {
    scaleFactor: 2 ** (values.block_out_channels.length - 1),
    scalingFactor: values.scaling_factor,
    shiftFactor: values.shift_factor ?? 0,
  };
}

/** Those of the diffusers pipelines. */
const guidanceScales: Readonly<Record<ModelKind, number>> = {
  sd: 7.5,
  sdxl: 5,
  sd3: 7,
  flux: 3.5,
};

/** What latent consistency models were distilled for. */
const consistency = { steps: 4, guidanceScale: 8.5 };

const recommended = z.strictObject({
  steps: positive.optional(),
  guidanceScale: z.number().nonnegative().optional(),
  width: positive.optional(),
  height: positive.optional(),
});

/**
 * Defaults are what patchbay.json of the model recommends, then what the diffusers pipeline of its kind uses.
 *
 * @param json patchbay.json, or undefined where the model has none.
 * @throws PcppError `E_MODEL_CONFIG` for an unknown field.
 */
export function modelDefaultsOf(
  json: unknown,
  path: string,
  kind: ModelKind,
  { sampleSize, guidanceFeatures }: DenoiserConfig,
  pixelsPerRow: number,
): ModelDefaults {
  const own = parseFile(recommended, json ?? {}, path);
  const [rows, columns] = sampleSize ?? [null, null];
  const usual =
    guidanceFeatures === undefined
      ? { steps: 20, guidanceScale: guidanceScales[kind] }
      : consistency;
  return {
    steps: own.steps ?? usual.steps,
    guidanceScale: own.guidanceScale ?? usual.guidanceScale,
    width: own.width ?? (columns && columns * pixelsPerRow),
    height: own.height ?? (rows && rows * pixelsPerRow),
  };
}
