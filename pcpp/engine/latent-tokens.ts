/**
 * Latents as tokens of two rows and columns each, as Flux has them: a token holds its channels one after another, of each
 * the upper two values and then the lower two. Tokens go row by row.
 */

import type { Values } from '../onnx/session.js';
import type { PatchGraph } from '../rewrite/compile.js';
import { nchw, type Tensor, tensor } from '../tensor.js';

/** @returns Where in the tokens [N, H / 2 * W / 2, 4 C] each value of [N, C, H, W] is. */
function* places([n, c, h, w]: readonly [number, number, number, number]): Generator<number> {
  for (let image = 0; image < n; image++) {
    for (let channel = 0; channel < c; channel++) {
      for (let row = 0; row < h; row++) {
        for (let column = 0; column < w; column++) {
          const token = (image * (h / 2) + (row >> 1)) * (w / 2) + (column >> 1);
          yield token * 4 * c + 4 * channel + 2 * (row & 1) + (column & 1);
        }
      }
    }
  }
}

/** @param latent [N, C, H, W] with even sides. @returns [N, H / 2 * W / 2, 4 C] */
export function tokensOfLatent(latent: Tensor): Tensor {
  const dims = nchw(latent);
  const [n, c, h, w] = dims;
  const out = tensor([n, (h / 2) * (w / 2), 4 * c]);
  let index = 0;
  for (const place of places(dims)) out.data[place] = latent.data[index++]!;
  return out;
}

/** @param width Columns of the latent. @returns [N, C, H, W] */
export function latentOfTokens(tokens: Tensor, width: number): Tensor {
  const [n, count, features] = tokens.dims as [number, number, number];
  const dims = [n, features / 4, (4 * count) / width, width] as const;
  const out = tensor(dims);
  let index = 0;
  for (const place of places(dims)) out.data[index++] = tokens.data[place]!;
  return out;
}

/**
 * @param rows Latent rows [from, to) of the image.
 * @param width Columns of the latent.
 * @returns Of every token 0, its row and its column: [(to - from) / 2 * W / 2, 3].
 */
export function tokenPositions([from, to]: readonly [number, number], width: number): Tensor {
  const columns = width / 2;
  const count = ((to - from) / 2) * columns;
  const data = new Float32Array(3 * count);
  for (let token = 0; token < count; token++) {
    data[3 * token + 1] = from / 2 + Math.floor(token / columns);
    data[3 * token + 2] = token % columns;
  }
  return tensor([count, 3], data);
}

/** The latent's rows as a graph takes them, by input. @param rows Which of the image's they are. */
export function sampleTensors(
  graph: Pick<PatchGraph, 'sample' | 'tokens'>,
  sample: Tensor,
  rows: readonly [from: number, to: number],
): Readonly<Record<string, Tensor>> {
  if (!graph.tokens) return { [graph.sample]: sample };
  const positions = tokenPositions(rows, nchw(sample)[3]);
  return {
    [graph.sample]: tokensOfLatent(sample),
    ...Object.fromEntries(graph.tokens.positions.map((name) => [name, positions])),
  };
}

/** The same as values of a session. */
export const sampleFeeds = (...of: Parameters<typeof sampleTensors>): Values =>
  Object.fromEntries(
    Object.entries(sampleTensors(...of)).map(([name, values]) => [
      name,
      { type: 'float32', ...values } as const,
    ]),
  );

/** What a patch graph gives for them, [N, C, rows, W]. @param width Columns of the latent. */
export const predictionOf = (
  { tokens }: Pick<PatchGraph, 'tokens'>,
  output: Tensor,
  width: number,
): Tensor => (tokens ? latentOfTokens(output, width) : output);
