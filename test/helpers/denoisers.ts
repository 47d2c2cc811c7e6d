/** The denoisers that tests split, and inputs for them. */

import { join } from 'node:path';
import type { Value, Values } from '../../pcpp/onnx/session.js';
import { goldenPath, scenesPath } from './golden.js';
import { noise } from './small-graph.js';

export interface Denoiser {
  readonly name: string;
  readonly file: string;
  /** Widths of the model's other inputs. */
  readonly features: Readonly<Record<string, number>>;
  readonly downsampling: number;
  /** What travels of its attention whatever is asked for: keys are turned by their positions, so nothing else will do. */
  readonly payload?: 'kv';
}

const sd15 = { features: { encoder_hidden_states: 8 }, downsampling: 8 };
const sdxl = {
  features: { encoder_hidden_states: 20, text_embeds: 12, time_ids: 6 },
  downsampling: 4,
};

export const denoisers: readonly [sd15: Denoiser, sdxl: Denoiser, scenes: Denoiser] = [
  { ...sd15, name: 'tiny-sd15', file: goldenPath('models/tiny-sd15/unet/model.onnx') },
  { ...sdxl, name: 'tiny-sdxl', file: goldenPath('models/tiny-sdxl/unet/model.onnx') },
  {
    name: 'scenes',
    file: join(scenesPath, 'unet', 'model.onnx'),
    features: { encoder_hidden_states: 128 },
    downsampling: 8,
  },
];

/** Diffusion transformers. */
export const transformers: readonly [sd3: Denoiser, flux: Denoiser] = [
  {
    name: 'tiny-sd3',
    file: goldenPath('models/tiny-sd3/transformer/model.onnx'),
    features: { encoder_hidden_states: 24, pooled_projections: 20 },
    downsampling: 2,
  },
  {
    name: 'tiny-flux',
    file: goldenPath('models/tiny-flux/transformer/model.onnx'),
    features: { encoder_hidden_states: 24, pooled_projections: 20, txt_ids: 3, guidance: 1 },
    downsampling: 2,
    payload: 'kv',
  },
];

const variant = (from: Denoiser, name: string): Denoiser => ({
  ...from,
  name,
  file: goldenPath(`models/variants/${name}/model.onnx`),
});

/** The same networks as torch's newer exporter writes them, one with external weights. */
export const variants: readonly Denoiser[] = [
  variant(denoisers[0], 'tiny-sd15-unet-dynamo-opset18'),
  variant(denoisers[1], 'tiny-sdxl-unet-dynamo-opset23-extdata'),
];

/** tiny-sdxl in half precision. */
export const halfPrecision: Denoiser = variant(denoisers[1], 'tiny-sdxl-unet-fp16');

function dimsOf(name: string, batch: number, width: number): number[] {
  if (name === 'encoder_hidden_states') return [batch, 7, width];
  if (name === 'txt_ids') return [7, width];
  return name === 'guidance' ? [batch] : [batch, width];
}

/** A prompt of seven tokens, and whatever else the model reads. */
export function conditioningOf({ features }: Denoiser, batch: number): Values {
  const entries = Object.entries(features).map(([name, width], index): [string, Value] => {
    return [name, { type: 'float32', ...noise(dimsOf(name, batch, width), 11 + index) }];
  });
  return Object.fromEntries(entries);
}
