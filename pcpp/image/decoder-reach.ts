/** Whether an image can be decoded in strips, found out from the decoder's graph. */

import { PcppError } from '../errors.js';
import { loadModel } from '../onnx/model.js';
import { type Reach, reachOf } from '../rewrite/reach.js';
import { traceRows } from '../rewrite/trace.js';

/** `rows`: a strip needs only so many latent rows around it. `whole`: the graph looks at the whole image. */
export type DecoderReach =
  | ({ readonly kind: 'rows' } & Reach)
  | {
      readonly kind: 'whole';
      /** Node, operator and reason. */
      readonly why: string;
    };

export interface LatentSize {
  /** Rows. */
  readonly height: number;
  /** Columns. */
  readonly width: number;
}

/**
 * @param decoderFile `model.onnx`, with external data beside it if it has any.
 * @throws PcppError `E_MODEL_DIR` if the file cannot be read.
 */
export async function decoderReach(decoderFile: string, size: LatentSize): Promise<DecoderReach> {
  try {
    const trace = await traceRows(await loadModel(decoderFile), { ...size, batch: 1 });
    if (typeof trace.sample.dims[2] === 'number') {
      return {
        kind: 'whole',
        why: `it was exported for a height of ${trace.sample.dims[2]} alone`,
      };
    }
    return { kind: 'rows', ...reachOf(trace) };
  } catch (error) {
    // A graph that cannot be split is still one that can be run.
    const isRefusal =
      error instanceof PcppError && (error.code === 'E_GRAPH' || error.code === 'E_SIZE');
    if (isRefusal) return { kind: 'whole', why: error.message };
    throw error;
  }
}
