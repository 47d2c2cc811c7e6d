/** From a denoiser's ONNX file to its universal patch graph: load, probe, tag, emit. */

import { encodeModel } from '../onnx/messages.js';
import { loadModel, type OnnxModel } from '../onnx/model.js';
import { emitPatchGraph } from './emit.js';
import type { Grid } from './latent-port.js';
import type { AttentionPayload, GraphSites } from './sites.js';
import { outputOf, type Trace, traceRows } from './trace.js';

export interface GraphEnds {
  /** Folder of external weights; absent if the weights are in the bytes. */
  readonly externalDataFolder?: string;
  /** Name of the latent input. */
  readonly sample: string;
  /** Name of the predicted noise, or of a decoder's pixels. */
  readonly output: string;
  /** Where the latent comes, and leaves, as tokens of two rows and columns: inputs that say where each token is. */
  readonly tokens?: { readonly positions: readonly string[] };
}

/** A graph that runs the whole image and any patch of it. Plain data: cacheable, sendable. */
export interface PatchGraph extends GraphEnds {
  readonly bytes: Uint8Array;
  readonly sites: GraphSites;
}

export interface PatchGraphShape extends Grid {
  /** `hidden` where a graph allows it: half the bytes of attention, and every receiver projects what it reads. @default 'kv' */
  readonly payload?: AttentionPayload;
  /**
   * Layers whose attention may get borders of its own: parts of operators' names, with `*` for any characters. More of them
   * make more, smaller sites. @default none
   */
  readonly layers?: readonly string[];
}

/** Whether a graph compiled for the first shape is one for the second too: its height is open. */
export const servesShape = (compiled: PatchGraphShape, wanted: PatchGraphShape): boolean =>
  compiled.width === wanted.width &&
  compiled.batch === wanted.batch &&
  (compiled.payload ?? 'kv') === (wanted.payload ?? 'kv') &&
  String(compiled.layers ?? []) === String(wanted.layers ?? []);

/**
 * @param denoiserFile `model.onnx`, with external data beside it if it has any.
 * @throws PcppError `E_MODEL_DIR` if there is no such file, `E_SIZE` if the size does not fit the model's levels,
 *   `E_GRAPH` naming the node that cannot be split.
 */
export async function compilePatchGraph(
  denoiserFile: string,
  shape: PatchGraphShape,
): Promise<PatchGraph> {
  return compileModel(await loadModel(denoiserFile), shape);
}

/** The same for a model in memory. */
export const compileModel = async (
  original: OnnxModel,
  { payload, layers, ...shape }: PatchGraphShape,
): Promise<PatchGraph> => patchGraphOf(await traceRows(original, shape), payload, layers);

/** The same for a model that is traced already. */
export function patchGraphOf(
  trace: Trace,
  payload: AttentionPayload = 'kv',
  layers: readonly string[] = [],
): PatchGraph {
  const { model, sites } = emitPatchGraph(trace, { payload, timing: 'displaced', layers });
  return { bytes: encodeModel(model), sites: sites[0]!, ...endsOf(trace) };
}

/** What every form of a traced graph has. */
export const endsOf = ({ model, latent, found }: Trace): GraphEnds => ({
  ...(model.hasExternalData ? { externalDataFolder: model.folder } : {}),
  sample: latent.axes.name,
  output: outputOf(model, [...found.tags.keys()]),
  ...(latent.packing > 1 ? { tokens: { positions: latent.beside.map(({ name }) => name) } } : {}),
});
