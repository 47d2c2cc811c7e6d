/** Text to image on one device in one process: the reference that every parallel mode is compared with. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { PcppError } from '../errors.js';
import { decodeLatents, type RgbImage, toRgb } from '../image/decode.js';
import { requireShape } from '../model/feed.js';
import type { Model } from '../model/model.js';
import { createSampler } from '../samplers/create-sampler.js';
import { initialRows } from '../samplers/noise.js';
import { type Tensor, tensor } from '../tensor.js';
import { encodePrompt, type Framing, wholePicture } from '../text/encode-prompt.js';
import type { GenerationRequest } from './generation-request.js';
import { type GenerationSettings, prepare } from './generation-settings.js';
import { isGuided } from './guidance.js';
import { evaluateUnet } from './unet.js';

export interface SingleOptions {
  /** Called after every step. */
  readonly onStep?: (progress: StepProgress) => void;
  /** Looked at between steps. */
  readonly signal?: AbortSignal;
  /** Unit normal noise [1, C, H, W] to start from. @default drawn from the seed */
  readonly latents?: Tensor;
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
  });
  const unet = await model.session('unet');
  const sampler = createSampler(model.directory.scheduler, {
    steps: settings.steps,
    name: settings.sampler,
  });

  let latents = firstLatents(settings, sampler.initNoiseSigma, options.latents);
  let state = sampler.start();
  for (const [index, timestep] of sampler.timesteps.entries()) {
    // A run blocks this thread, so the signal could not fire without a pause.
    await nextTurn();
    requireNotAborted(options.signal);
    const input = sampler.scaleInput(latents, index);
    const output = await evaluateUnet(unet, input, timestep, conditioning, settings.guidanceScale);
    ({ state, sample: latents } = sampler.step(state, index, output, latents));
    options.onStep?.({ done: index + 1, steps: sampler.timesteps.length, timestep, latents });
  }

  await nextTurn();
  requireNotAborted(options.signal);
  const decoder = await model.session('vae_decoder');
  const [image] = toRgb(await decodeLatents(decoder, latents, model.directory.vae));
  return { image: image!, latents, settings, unknownWords, cutTokens };
}

/** Unit normal noise of the seed, or the given one, brought to the sampler's first noise level. */
function firstLatents(settings: GenerationSettings, sigma: number, given?: Tensor): Tensor {
  const { channels, height, width } = settings.latent;
  const noise = given ?? initialRows(settings.seed, { channels, width, fromRow: 0, toRow: height });
  requireShape('latents', noise, [1, channels, height, width]);
  return tensor(
    noise.dims,
    noise.data.map((x) => x * sigma),
  );
}

function requireNotAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new PcppError('E_ABORTED', 'the job was aborted by its caller', { cause: signal.reason });
}
