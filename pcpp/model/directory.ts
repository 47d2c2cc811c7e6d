/** A model directory in the layout of diffusers, as optimum exports it to ONNX. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { PcppError } from '../errors.js';
import type { SchedulerConfig } from '../samplers/scheduler-config.js';
import {
  type DenoiserConfig,
  fluxConfigOf,
  type ModelDefaults,
  type ModelIndex,
  type ModelKind,
  modelDefaultsOf,
  modelIndexOf,
  transformerConfigOf,
  unetConfigOf,
  type VaeConfig,
  vaeConfigOf,
} from './config.js';
import { parseFile, readJsonFile } from './json-file.js';

/** The folders that hold a graph. */
export type ModelPart =
  | 'unet'
  | 'transformer'
  | 'text_encoder'
  | 'text_encoder_2'
  | 'text_encoder_3'
  | 'vae_decoder'
  | 'vae_encoder';

export type TextEncoderPart = 'text_encoder' | 'text_encoder_2' | 'text_encoder_3';

/** T5 knows no limit; the pipelines of diffusers read so many. */
const t5Tokens = { sd3: 256, flux: 512 } as const;

const denoiserConfigs: Readonly<Record<ModelKind, typeof unetConfigOf>> = {
  sd: unetConfigOf,
  sdxl: unetConfigOf,
  sd3: transformerConfigOf,
  flux: fluxConfigOf,
};

/** Pixels of a latent row where there is no decoder to ask: all autoencoders of Stable Diffusion 3 and Flux have it so. */
const usualScaleFactor = 8;

/**
 * Files are read when they are asked for, so a device that only denoises needs its network and `scheduler/` alone.
 * All methods throw PcppError: `E_MODEL_DIR` where a file is missing or unreadable, `E_MODEL_CONFIG` where it says
 * something that is not supported. Both name the file.
 */
export class ModelDirectory {
  readonly root: string;
  readonly index: ModelIndex;
  readonly #read = new Map<string, unknown>();

  private constructor(root: string) {
    this.root = root;
    this.index = modelIndexOf(this.#json('model_index.json'), this.path('model_index.json'));
  }

  /**
   * @param root Path of the directory that holds model_index.json.
   * @throws PcppError `E_MODEL_DIR` or `E_MODEL_CONFIG`, see above.
   */
  static open(root: string): ModelDirectory {
    if (!existsSync(root)) {
      throw new PcppError('E_MODEL_DIR', `there is no model directory ${root}`);
    }
    return new ModelDirectory(root);
  }

  get kind(): ModelKind {
    return this.index.kind;
  }

  /** The folder of the network that denoises. */
  get denoiserPart(): 'unet' | 'transformer' {
    return this.#isTransformer ? 'transformer' : 'unet';
  }

  get denoiser(): DenoiserConfig {
    const file = `${this.denoiserPart}/config.json`;
    return denoiserConfigs[this.kind](this.#json(file), this.path(file));
  }

  get #isTransformer(): boolean {
    return this.kind === 'sd3' || this.kind === 'flux';
  }

  get vae(): VaeConfig {
    return vaeConfigOf(this.#json('vae_decoder/config.json'), this.path('vae_decoder/config.json'));
  }

  get scheduler(): SchedulerConfig {
    const file = 'scheduler/scheduler_config.json';
    return parseFile(z.looseObject({ _class_name: z.string() }), this.#json(file), this.path(file));
  }

  get defaults(): ModelDefaults {
    const path = this.path('patchbay.json');
    const json = existsSync(path) ? this.#json('patchbay.json') : undefined;
    return modelDefaultsOf(json, path, this.kind, this.denoiser, this.pixelsPerRow);
  }

  /** Pixels of a latent row or column; 8 for a transformer that was exported without its decoder. */
  get pixelsPerRow(): number {
    const isAlone = this.#isTransformer && !existsSync(this.path('vae_decoder'));
    return isAlone ? usualScaleFactor : this.vae.scaleFactor;
  }

  /** Width and height in pixels must be divisible by this. */
  get sizeMultiple(): number {
    return this.pixelsPerRow * this.denoiser.latentMultiple;
  }

  /** The largest width or height in pixels; infinite where there is none. */
  get sizeLimit(): number {
    return this.pixelsPerRow * (this.denoiser.latentLimit ?? Number.POSITIVE_INFINITY);
  }

  /** What a transformer's directory lacks to make a picture of a prompt: transformers are often exported alone. */
  get missingParts(): readonly ModelPart[] {
    if (!this.#isTransformer) return [];
    const needed: readonly ModelPart[] = ['text_encoder', 'text_encoder_2', 'vae_decoder'];
    return needed.filter((part) => !this.has(part));
  }

  /** @throws PcppError `E_MODEL_DIR` naming all of the missing parts. */
  requirePictureParts(): void {
    if (this.missingParts.length === 0) return;
    const files = this.missingParts.map((part) => `${part}/model.onnx`).join(', ');
    throw new PcppError(
      'E_MODEL_DIR',
      `${this.root} lacks ${files}: without them there is no picture of a prompt; export the whole pipeline with optimum-cli export onnx, see docs/models.md`,
    );
  }

  /** Tokens that a text encoder reads at once. */
  textLength(encoder: TextEncoderPart): number {
    if (this.kind === 'sd3' && encoder === 'text_encoder_3') return t5Tokens.sd3;
    if (this.kind === 'flux' && encoder === 'text_encoder_2') return t5Tokens.flux;
    const file = `${encoder}/config.json`;
    const schema = z.looseObject({ max_position_embeddings: z.int().positive() });
    return parseFile(schema, this.#json(file), this.path(file)).max_position_embeddings;
  }

  /** Path of the graph of a part. Weights beside it in external files are found by ONNX Runtime. */
  graph(part: ModelPart): string {
    const path = this.path(`${part}/model.onnx`);
    if (!existsSync(path)) {
      throw new PcppError(
        'E_MODEL_DIR',
        `${path} is missing; export the model with optimum-cli export onnx, see docs/models.md`,
      );
    }
    return path;
  }

  /** Whether a part that not every model has is there. */
  has(part: ModelPart): boolean {
    return existsSync(this.path(`${part}/model.onnx`));
  }

  path(name: string): string {
    return join(this.root, name);
  }

  #json(name: string): unknown {
    if (!this.#read.has(name)) this.#read.set(name, readJsonFile(this.path(name)));
    return this.#read.get(name);
  }
}
