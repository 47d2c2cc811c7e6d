/** What a job tells while its image is made. Plain data. */

import type { RgbImage } from '../image/decode.js';
import type { AutoChoice } from './auto-mode.js';
import type { GenerationSettings } from './generation-settings.js';
import type { ImageForecast } from './image-forecast.js';

export type GenerationProgress =
  | {
      /** First of all, in mode `auto`. */
      readonly kind: 'choice';
      readonly choice: AutoChoice;
    }
  | {
      readonly kind: 'prompt';
      /** Words that the model does not know and will ignore. */
      readonly unknownWords: readonly string[];
      /** Tokens that had no room. */
      readonly cutTokens: number;
    }
  | ({
      readonly kind: 'plan';
      readonly settings: GenerationSettings;
    } & ImageForecast)
  | ({ readonly kind: 'step' } & StepProgress)
  | ({ readonly kind: 'preview' } & StepPreview)
  | {
      readonly kind: 'decode';
      /** How many decode their own rows; 1: the first one decodes the whole image. */
      readonly devices: number;
      /** Why several devices leave it to one: node, operator and reason. */
      readonly why?: string;
    };

/** One step, once the last device has done it. */
export interface StepProgress {
  /** 0-based. */
  readonly step: number;
  readonly steps: number;
  /** Wall time since the step before was done. */
  readonly stepMs: number;
  /** Of the slowest device. */
  readonly computeMs: number;
  /** Longest time a device waited for borders. */
  readonly waitMs: number;
  /** Border bytes that arrived for this step, all devices together. */
  readonly borderBytes: number;
  /** Age in steps of the borders that were read; undefined in steps that read none. */
  readonly borderAge: number | undefined;
  /** Borders that were not waited for: older than asked for. */
  readonly lateBorders: number;
}

/** What the image will be, as it looked in a step; after the `step` itself. */
export interface StepPreview {
  /** 0-based. */
  readonly step: number;
  /** A pixel for each of the latent: an eighth of width and height, in most models. */
  readonly image: RgbImage;
}
