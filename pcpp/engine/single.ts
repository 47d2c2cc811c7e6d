/** Text to image on one device in one process: the reference that every parallel mode is compared with. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { PcppError } from '../errors.js';
import { decodeLatents, encodeImage, type RgbImage, toRgb } from '../image/decode.js';
import { fitColors } from '../image/latent-colors.js';
import { requireShape } from '../model/feed.js';
import type { Model } from '../model/model.js';
import type { Tensor } from '../tensor.js';
import { encodePrompt, type Framing, wholePicture } from '../text/encode-prompt.js';
import type { GenerationRequest } from './generation-request.js';
import { type GenerationSettings, prepare } from './generation-settings.js';
import { isGuided } from './guidance.js';
import { isShown, previewOf } from './preview.js';
import { samplerOf } from './sampler-of.js';
import { SingleDevice } from './single-device.js';

export interface SingleOptions {
  /** Called after every step. */
  readonly onStep?: (progress: StepProgress) => void;
  /** Looked at between steps. */
  readonly signal?: AbortSignal;
  /** Unit normal noise [1, C, H, W] to start from. @default drawn from the seed */
  readonly latents?: Tensor;
  /** Unit normal noise [1, C, H, W] that an ancestral sampler adds in a step. @default drawn from the seed */
  readonly noiseOf?: (step: number) => Tensor;
  /** SDXL only. @default the whole picture, not cropped */
  readonly framing?: Framing;
}

export interface StepProgress {
  /** Steps done, 1..steps. */
  readonly done: number;
  readonly steps: number;
  /** The timestep that was just computed. */
  readonly timestep: number;
  /** [1, C, H, W] after the step. */
  readonly latents: Tensor;
  /** After steps that `previewEvery` names. */
  readonly preview?: RgbImage;
}

export interface Generated {
  readonly image: RgbImage;
  /** [1, C, H, W] after the last step. */
  readonly latents: Tensor;
  readonly settings: GenerationSettings;
  /** Words of the prompts that the model does not know. */
  readonly unknownWords: readonly string[];
  /** Tokens of a prompt that had no room. */
  readonly cutTokens: number;
}

/**
 * @throws PcppError `E_OPTION`, `E_SIZE`, `E_MODEL_DIR` or `E_MODEL_CONFIG` before any computing,
 *   `E_SESSION` if ONNX Runtime fails, `E_ABORTED` with the signal's reason as its cause.
 */
export async function generateSingle(
  model: Model,
  request: GenerationRequest,
  options: SingleOptions = {},
): Promise<Generated> {
  const settings = prepare({ ...request, mode: 'single' }, model.directory);
  requireNotAborted(options.signal);
  const { unknownWords, cutTokens, conditioning } = await encodePrompt(model, {
    prompt: settings.prompt,
    ...(settings.negativePrompt === undefined ? {} : { negativePrompt: settings.negativePrompt }),
    guided: isGuided(settings.guidanceScale),
    framing: options.framing ?? wholePicture(settings.height, settings.width),
    ...(settings.guidanceInput === undefined ? {} : { guidance: settings.guidanceInput }),
  });
  const denoiser = await model.denoiser();
  const sampler = samplerOf(model.directory, settings);

  const { channels, height, width } = settings.latent;
  if (options.latents) requireShape('latents', options.latents, [1, channels, height, width]);
  const { vae } = model.directory;
  const image =
    request.image && (await encodeImage(await model.session('vae_encoder'), request.image, vae));
  const device = new SingleDevice(denoiser, sampler, settings, conditioning, {
    ...(image ? { image } : {}),
    ...(options.latents ? { first: options.latents } : {}),
    ...(options.noiseOf ? { ofStep: options.noiseOf } : {}),
  });
  const colors =
    settings.previewEvery === undefined
      ? undefined
      : await fitColors(await model.session('vae_decoder'), channels, vae);
  for (const [step, timestep] of sampler.timesteps.entries()) {
    // A run blocks this thread, so the signal could not fire without a pause.
    await nextTurn();
    requireNotAborted(options.signal);
    await device.advance(step, new Map());
    const { rows: latents } = device;
    const preview = colors && isShown(settings, step) ? previewOf(device, colors) : undefined;
    const shown = preview ? { preview } : {};
    options.onStep?.({ done: step + 1, steps: settings.evaluations, timestep, latents, ...shown });
  }

  await nextTurn();
  requireNotAborted(options.signal);
  const decoder = await model.session('vae_decoder');
  const [decoded] = toRgb(await decodeLatents(decoder, device.rows, vae));
  return { image: decoded!, latents: device.rows, settings, unknownWords, cutTokens };
}

function requireNotAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new PcppError('E_ABORTED', 'the job was aborted by its caller', { cause: signal.reason });
}
