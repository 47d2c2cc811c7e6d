/** The tiny transformers with tokenizers, a decoder and, where they fit, text encoders of tiny-sdxl. */

import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { elementTypes, encodeModel } from '../../pcpp/onnx/messages.js';
import {
  floatTensor,
  int64Tensor,
  openModel,
  parseModel,
  portOf,
  saveModel,
} from '../../pcpp/onnx/model.js';
import { goldenPath } from './golden.js';
import { modelCopy } from './model-copy.js';
import { node, weight } from './small-graph.js';

const sdxl = goldenPath('models/tiny-sdxl');

/** Stable Diffusion 3. @param t5 Whether there is a third text encoder, a stand-in. @returns Path of the directory. */
export function sd3Copy({ t5 = false }: { readonly t5?: boolean } = {}): string {
  const root = modelCopy(goldenPath('models/tiny-sd3'), {
    'text_encoder/model.onnx': projecting(join(sdxl, 'text_encoder', 'model.onnx')),
    'text_encoder/config.json': readFileSync(join(sdxl, 'text_encoder', 'config.json'), 'utf8'),
    ...(t5 ? { 'text_encoder_3/model.onnx': standIn('last_hidden_state', [1, 1, 24]) } : {}),
  });
  for (const part of ['text_encoder_2', 'tokenizer', 'tokenizer_2', 'vae_decoder']) {
    symlinkSync(join(sdxl, part), join(root, part));
  }
  if (t5) symlinkSync(join(sdxl, 'tokenizer'), join(root, 'tokenizer_3'));
  return root;
}

/** Stable Diffusion 3 reads the projected text of both encoders, which optimum calls `text_embeds`. */
function projecting(file: string): Uint8Array {
  const model = parseModel(readFileSync(file));
  const named = <T extends { name?: string }>(entry: T): T =>
    entry.name === 'pooler_output' ? { ...entry, name: 'text_embeds' } : entry;
  const graph = {
    ...model.graph,
    output: (model.graph.output ?? []).map(named),
    node: (model.graph.node ?? []).map((entry) => ({
      ...entry,
      output: (entry.output ?? []).map((name) => (name === 'pooler_output' ? 'text_embeds' : name)),
    })),
  };
  return saveModel(openModel({ ...model.proto, graph }, '.'));
}

/** Flux, with stand-ins for its text encoders. @returns Path of the directory. */
export function fluxCopy(): string {
  const root = modelCopy(goldenPath('models/tiny-flux'), {
    'text_encoder/model.onnx': standIn('pooler_output', [1, 20]),
    'text_encoder/config.json': { max_position_embeddings: 77 },
    'text_encoder_2/model.onnx': standIn('last_hidden_state', [1, 1, 24]),
  });
  for (const part of ['tokenizer', 'tokenizer_2', 'vae_decoder']) {
    symlinkSync(join(sdxl, part), join(root, part));
  }
  return root;
}

/** A text encoder that knows no words: a token's id, or the first one's, as a share of all times a vector. */
function standIn(output: string, dims: readonly number[]): Uint8Array {
  const { int64, float32 } = elementTypes;
  const isPooled = dims.length === 2;
  return encodeModel({
    ir_version: 10,
    opset_import: [{ domain: '', version: 17 }],
    graph: {
      name: 'stand-in',
      node: [
        node('Cast', ['input_ids'], ['ids'], { to: float32 }),
        node('Mul', ['ids', 'share'], ['shares']),
        isPooled
          ? node('ReduceMean', ['shares'], ['column'], { axes: [1], keepdims: 1 })
          : node('Unsqueeze', ['shares', 'last'], ['column']),
        node('Mul', ['column', 'features'], [output]),
      ],
      initializer: [
        int64Tensor('last', [2]),
        floatTensor('share', [1 / 49408]),
        weight('features', dims),
      ],
      input: [portOf({ name: 'input_ids', elementType: int64, dims: ['batch', 'length'] })],
      output: [
        portOf({
          name: output,
          elementType: float32,
          dims: dims.map((dim, axis) => (axis < dims.length - 1 ? `axis_${axis}` : dim)),
        }),
      ],
    },
  });
}
