/** A request and a model together: everything decided, nothing left to default. */

import type { Lateness } from '../../actors/index.js';
import { PcppError } from '../errors.js';
import type { PngText } from '../image/png.js';
import type { ModelDirectory } from '../model/directory.js';
import { requireSize } from '../model/size.js';
import type { BorderRule } from '../partition/border-rules.js';
import {
  type BorderAge,
  type BorderCut,
  type GroupNormMode,
  rowsBetween,
} from '../partition/plan.js';
import { isResidual, type Wire } from '../partition/wire.js';
import type { AttentionPayload } from '../rewrite/sites.js';
import { samplerNameOf } from '../samplers/create-sampler.js';
import type { SamplerName } from '../samplers/sampler.js';
import {
  type GenerationMode,
  type GenerationRequest,
  generationDefaults,
  parseRequest,
  type RowShares,
} from './generation-request.js';
import { guidanceOf, isGuided } from './guidance.js';
import { samplerOf } from './sampler-of.js';
import {
  cooldownStart,
  defaultCooldown,
  defaultWarmup,
  type WarmupKind,
  wholeSteps,
} from './step-kind.js';

/** Plain data: it may be sent to every device of a job. */
export interface GenerationSettings {
  readonly prompt: string;
  /** Absent: nothing to avoid. */
  readonly negativePrompt?: string;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  readonly latent: LatentShape;
  /** Steps of the sampler from noise to image. */
  readonly steps: number;
  /** Of them, those at the start that are left out because there is an image to begin with. */
  readonly skippedSteps: number;
  /** Denoiser evaluations: the steps that are left, and for PNDM from the start one more. */
  readonly evaluations: number;
  readonly seed: number;
  /** 1 or less: no negative entry in the batch. */
  readonly guidanceScale: number;
  /** The guidance scale of a model that reads it as an input; there is no batch of two then. */
  readonly guidanceInput?: number;
  readonly sampler: SamplerName;
  readonly mode: GenerationMode;
  /** 0..1; 1 in every mode but pcpp. */
  readonly borderFraction: number;
  /** Absent: that fraction everywhere. */
  readonly borderRules?: readonly BorderRule[];
  readonly borderCut: BorderCut;
  readonly borderPayload: AttentionPayload;
  readonly groupNorm: GroupNormMode;
  readonly borderAge: BorderAge;
  readonly wire: Wire;
  /** When borders may be older than `borderAge`. Absent: never. */
  readonly lateness?: Lateness;
  /** Exactly so many evaluations at the start read only fresh values: 1 and more; all in the modes single and sync. */
  readonly warmupSteps: number;
  /** `whole` where nothing is displaced. */
  readonly warmup: WarmupKind;
  /** Exactly so many evaluations before the last compute the whole image, of rows that were told: 0 without displaced ones. */
  readonly cooldownSteps: number;
  /** Guidance on two groups of devices; `devices` are those of both. */
  readonly cfgParallel: boolean;
  /** Guidance in turns: only where borders are displaced. */
  readonly cfgInterleaved: boolean;
  readonly rowShares: RowShares;
  /** Steps from one preview to the next. Absent: there are none. */
  readonly previewEvery?: number;
  readonly devices: number | 'all';
}

export interface LatentShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * @throws PcppError `E_OPTION` or `E_SIZE` for what the user can change, `E_MODEL_DIR` or `E_MODEL_CONFIG` for what is
 *   wrong with the model.
 */
export function prepare(request: GenerationRequest, model: ModelDirectory): GenerationSettings {
  const given = parseRequest(request);
  const asked = { ...generationDefaults, ...given };
  const { mode } = asked;
  if (mode === 'auto') {
    throw new PcppError(
      'E_OPTION',
      'mode auto has to measure devices first: only a pipeline can choose',
    );
  }
  model.requirePictureParts();
  checkImage(given, model);
  const width = asked.width ?? asked.image?.width ?? model.defaults.width;
  const height = asked.height ?? asked.image?.height ?? model.defaults.height;
  if (width === null || height === null) {
    throw new PcppError('E_OPTION', 'the model names no image size: give width and height');
  }
  requireSize(width, height, model.sizeMultiple, model.sizeLimit);
  const steps = asked.steps ?? model.defaults.steps;
  const sampler = samplerNameOf(model.scheduler, asked.sampler);
  // Made only to be refused here, before any device has begun.
  const skippedSteps = asked.image ? steps - Math.floor(steps * asked.strength + 1e-9) : 0;
  if (skippedSteps === steps) {
    throw new PcppError(
      'E_OPTION',
      `strength ${asked.strength} of ${steps} steps leaves none to compute; use at least ${1 / steps}`,
    );
  }
  const latent: LatentShape = {
    channels: model.denoiser.latentChannels,
    height: height / model.vae.scaleFactor,
    width: width / model.vae.scaleFactor,
  };
  const walk = samplerOf(model, { steps, skippedSteps, sampler, latent });
  const evaluations = walk.timesteps.length;
  const warmup = asked.warmupSteps ?? defaultWarmup(evaluations);
  const displaced = mode === 'distrifusion' || mode === 'pcpp';
  const cooldown = asked.cooldownSteps ?? defaultCooldown(evaluations);
  const start = cooldownStart({ evaluations, cooldownSteps: cooldown });
  // Nothing has to be mended where nothing is displaced.
  const hasDisplaced =
    displaced && wholeSteps({ warmup: asked.warmup, warmupSteps: warmup }) < start;
  if (asked.warmup === 'patch' && displaced) checkPatchWarmup(asked);
  const guidance = guidanceOf(asked, model);
  const { guidanceScale } = guidance;
  if (asked.cfgParallel) checkHalves(guidanceScale, displaced ? asked.borderAge : 1, asked.devices);
  if (asked.cfgInterleaved && displaced) {
    checkTurns(guidanceScale, asked.borderAge, asked.cfgParallel);
  }
  const alone = asked.cfgParallel ? 2 : 1;
  const lateness = latenessOf(asked, displaced);
  return {
    prompt: asked.prompt,
    ...(asked.negativePrompt === undefined ? {} : { negativePrompt: asked.negativePrompt }),
    width,
    height,
    latent,
    steps,
    skippedSteps,
    evaluations,
    seed: asked.seed,
    ...guidance,
    sampler,
    mode,
    borderFraction: mode === 'pcpp' ? asked.borderFraction : 1,
    ...(mode === 'pcpp' && asked.borderRules?.length ? { borderRules: asked.borderRules } : {}),
    borderCut: asked.borderCut,
    borderPayload: asked.borderPayload ?? (mode === 'pcpp' ? 'hidden' : 'kv'),
    groupNorm: asked.groupNorm,
    borderAge: asked.borderAge,
    wire: asked.wire,
    ...(lateness ? { lateness } : {}),
    warmupSteps: hasDisplaced ? Math.min(warmup, start) : evaluations,
    warmup: hasDisplaced ? asked.warmup : 'whole',
    cooldownSteps: hasDisplaced ? cooldown : 0,
    cfgParallel: asked.cfgParallel,
    cfgInterleaved: asked.cfgInterleaved && displaced,
    rowShares: asked.rowShares,
    ...(asked.previewEvery ? { previewEvery: asked.previewEvery } : {}),
    devices: mode === 'single' ? alone : (asked.devices ?? 'all'),
  };
}

/** @throws PcppError `E_OPTION` if borders cannot be late. */
function latenessOf(request: GenerationRequest, displaced: boolean): Lateness | undefined {
  const { borderDeadlineMs: deadlineMs, lateSteps, borderRules, wire } = request;
  const { cfgParallel, cfgInterleaved } = request;
  const refuse = (why: string): never => {
    throw new PcppError('E_OPTION', why);
  };
  if (deadlineMs === undefined) {
    if (lateSteps === undefined) return undefined;
    return refuse('lateSteps is for borders that are not waited for: give borderDeadlineMs too');
  }
  if (!displaced) return undefined;
  if (wire && isResidual(wire)) {
    refuse(`borderDeadlineMs leaves borders out, and those of wire ${wire} build on each other`);
  }
  if (borderRules?.some(({ steps }) => steps)) {
    refuse(
      'borderDeadlineMs takes borders of other steps, which borderRules with steps lay out otherwise',
    );
  }
  if (cfgParallel) refuse('borderDeadlineMs is not for cfgParallel: groups wait for each other');
  if (cfgInterleaved) refuse('borderDeadlineMs is not for cfgInterleaved, which waits in turns');
  return { deadlineMs, maxSteps: lateSteps ?? 1 };
}

/** @throws PcppError `E_OPTION` if guidance cannot be on two groups of devices. */
function checkHalves(guidanceScale: number, borderAge: BorderAge, devices: number | undefined) {
  const refuse = (why: string): never => {
    throw new PcppError('E_OPTION', `cfgParallel ${why}`);
  };
  if (!isGuided(guidanceScale)) {
    refuse(`needs guidance to share out, and a guidance scale of ${guidanceScale} is none`);
  }
  if (borderAge !== 1) refuse('reads borders at age 1: leave borderAge out');
  if (devices !== undefined && devices % 2 !== 0) {
    refuse(`makes two groups of devices, and ${devices} cannot be halved`);
  }
}

/** @throws PcppError `E_OPTION` if guidance cannot be in turns. */
function checkTurns(guidanceScale: number, borderAge: BorderAge, cfgParallel: boolean) {
  const refuse = (why: string): never => {
    throw new PcppError('E_OPTION', `cfgInterleaved ${why}`);
  };
  if (!isGuided(guidanceScale)) {
    refuse(`needs guidance to take turns with, and a guidance scale of ${guidanceScale} is none`);
  }
  if (borderAge !== 1) refuse('hides the transfer at age 1: leave borderAge out');
  if (cfgParallel) refuse('and cfgParallel exclude each other: a device has both prompts or one');
}

/** @throws PcppError `E_OPTION` if warm-up steps cannot be computed by patches. */
function checkPatchWarmup(asked: GenerationRequest): void {
  const refuse = (why: string): never => {
    throw new PcppError('E_OPTION', `warmup patch ${why}`);
  };
  if (asked.borderAge === 2) refuse('reads what has just been told: leave borderAge out');
  if (asked.cfgParallel || asked.cfgInterleaved) {
    refuse('is not for cfgParallel and cfgInterleaved, whose steps have other exchanges');
  }
  if (asked.borderDeadlineMs !== undefined) {
    refuse('waits for borders: leave borderDeadlineMs out');
  }
}

/** @throws PcppError `E_OPTION` if image and other options contradict, `E_MODEL_DIR` if the model cannot read images. */
function checkImage({ image, strength, width, height }: GenerationRequest, model: ModelDirectory) {
  if (!image) {
    if (strength === undefined) return;
    throw new PcppError('E_OPTION', 'strength is for an image to begin with, and there is none');
  }
  if ((width ?? image.width) !== image.width || (height ?? image.height) !== image.height) {
    throw new PcppError(
      'E_OPTION',
      `the image to begin with has ${image.width}x${image.height} pixels: leave width and height out, or scale it first`,
    );
  }
  if (model.has('vae_encoder')) return;
  throw new PcppError(
    'E_MODEL_DIR',
    `${model.path('vae_encoder/model.onnx')} is missing: this model cannot begin with an image; optimum-cli export onnx writes an encoder where the original has one`,
  );
}

/**
 * What goes into the PNG, so that a picture tells how to make it again: the settings are a request, but for prompts and the
 * picture that was begun with.
 *
 * @param bounds Patch i had latent rows [bounds[i], bounds[i + 1]). @default one patch
 */
export function describe(
  settings: GenerationSettings,
  bounds: readonly number[] = [0, settings.latent.height],
): PngText {
  const {
    prompt,
    negativePrompt,
    latent: _,
    evaluations: __,
    skippedSteps: ___,
    lateness,
    guidanceInput,
    previewEvery: ____,
    ...rest
  } = settings;
  const rowShares = rowsBetween(bounds);
  const request = {
    ...rest,
    ...(guidanceInput === undefined ? {} : { guidanceScale: guidanceInput }),
    rowShares,
    devices: rowShares.length * (settings.cfgParallel ? 2 : 1),
    ...(lateness ? { borderDeadlineMs: lateness.deadlineMs, lateSteps: lateness.maxSteps } : {}),
  };
  return {
    Software: 'Patchbay',
    Prompt: prompt,
    ...(negativePrompt === undefined ? {} : { 'Negative prompt': negativePrompt }),
    Settings: JSON.stringify(request),
  };
}
