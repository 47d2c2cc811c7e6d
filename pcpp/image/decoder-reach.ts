/** How an image can be decoded by several devices, found out from the decoder's graph. */

import { createHash } from 'node:crypto';
import { hasCode } from '../errors.js';
import { loadModel } from '../onnx/model.js';
import { isLocal, type Reach, reachOf } from '../rewrite/reach.js';
import { type StagedGraph, stagedGraphOf } from '../rewrite/staged.js';
import { traceRows } from '../rewrite/trace.js';

/**
 * `rows`: a strip needs only so many latent rows around it. `stages`: the graph looks at the whole image, and devices decode
 * their rows together. `whole`: one device has to decode everything.
 */
export type DecoderReach =
  | ({ readonly kind: 'rows' } & Reach)
  | {
      readonly kind: 'stages';
      /** Equal where decoders have the same stages. */
      readonly hash: string;
    }
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

export interface SplitDecoder {
  readonly reach: DecoderReach;
  /** Of kind `stages`. */
  readonly staged?: StagedGraph;
}

/**
 * @param decoderFile `model.onnx`, with external data beside it if it has any.
 * @throws PcppError `E_MODEL_DIR` if the file cannot be read.
 */
export async function splitDecoder(decoderFile: string, size: LatentSize): Promise<SplitDecoder> {
  const model = await loadModel(decoderFile);
  try {
    const trace = await traceRows(model, { ...size, batch: 1 });
    if (trace.latent.onlyHeight !== undefined) {
      const why = `it was exported for a height of ${trace.latent.onlyHeight} alone`;
      return { reach: { kind: 'whole', why } };
    }
    if (isLocal(trace)) return { reach: { kind: 'rows', ...reachOf(trace) } };
    const staged = stagedGraphOf(trace);
    const hash = createHash('sha256').update(JSON.stringify(staged.sites)).digest('hex');
    return { reach: { kind: 'stages', hash }, staged };
  } catch (error) {
    // A graph that cannot be split is still one that can be run.
    const isRefusal = hasCode(error, 'E_GRAPH') || hasCode(error, 'E_SIZE');
    if (isRefusal) return { reach: { kind: 'whole', why: error.message } };
    throw error;
  }
}
