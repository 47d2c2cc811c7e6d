/** A graph loaded into ONNX Runtime. The only file that touches onnxruntime-node, and it loads it lazily. */

import type * as Ort from 'onnxruntime-node';
import { PcppError } from '../errors.js';
import type { Provider } from './provider.js';

export type ElementType = 'float32' | 'float16' | 'int64' | 'int32' | 'bool';

/** A value that goes into or comes out of a session. float16 travels as raw bits. */
export type Value =
  | { readonly type: 'float32'; readonly dims: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'float16'; readonly dims: readonly number[]; readonly data: Uint16Array }
  | { readonly type: 'int64'; readonly dims: readonly number[]; readonly data: BigInt64Array }
  | { readonly type: 'int32'; readonly dims: readonly number[]; readonly data: Int32Array }
  | { readonly type: 'bool'; readonly dims: readonly number[]; readonly data: Uint8Array };

export type Values = Readonly<Record<string, Value>>;

export interface SessionOptions {
  /** What computes; operators that it does not know are computed by the processor. @default 'cpu' */
  readonly provider?: Provider;
  /** Threads one run may use. @default 1 */
  readonly threads?: number;
  /** ONNX Runtime's own graph optimisation. @default 'all' */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /** Write the optimised graph to this file. */
  readonly optimizedModelFile?: string;
  /** Folder of the external data of a model that is given as bytes. */
  readonly externalDataFolder?: string;
}

/** Name, element type and shape of one input or output; symbolic axes are strings. */
export interface Port {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly (number | string)[];
}

export class Session implements AsyncDisposable {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;

  private constructor(ort: typeof Ort, session: Ort.InferenceSession) {
    this.#ort = ort;
    this.#session = session;
    this.inputs = session.inputMetadata.map(toPort);
    this.outputs = session.outputMetadata.map(toPort);
  }

  /**
   * @param model Path of an ONNX file, or its bytes (external data then needs its folder in the options).
   * @throws PcppError `E_SESSION` with ONNX Runtime's own words.
   */
  static async open(model: string | Uint8Array, options: SessionOptions = {}): Promise<Session> {
    const ort = await import('onnxruntime-node');
    const { provider = 'cpu' } = options;
    const settings: Ort.InferenceSession.SessionOptions = {
      executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
      intraOpNumThreads: options.threads ?? 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: options.optimization ?? 'all',
      logSeverityLevel: 3,
      extra: {
        session: {
          intra_op: { allow_spinning: '0' },
          ...(options.externalDataFolder
            ? { model_external_initializers_file_folder_path: options.externalDataFolder }
            : {}),
        },
      },
      ...(options.optimizedModelFile ? { optimizedModelFilePath: options.optimizedModelFile } : {}),
    };
    try {
      const session =
        typeof model === 'string'
          ? await ort.InferenceSession.create(model, settings)
          : await ort.InferenceSession.create(model, settings);
      return new Session(ort, session);
    } catch (cause) {
      const what = typeof model === 'string' ? model : `a graph of ${model.byteLength} bytes`;
      throw new PcppError(
        'E_SESSION',
        `ONNX Runtime cannot open ${what} on ${provider}: ${textOf(cause)}`,
        {
          cause,
        },
      );
    }
  }

  /**
   * Computes on the calling thread, which it blocks for the whole run.
   *
   * @throws PcppError `E_SESSION` with ONNX Runtime's own words.
   */
  async run(feeds: Values): Promise<Record<string, Value>> {
    const inputs: Record<string, Ort.Tensor> = {};
    for (const [name, value] of Object.entries(feeds)) {
      inputs[name] = new this.#ort.Tensor(
        value.type,
        value.data as never,
        value.dims,
      ) as Ort.Tensor;
    }
    try {
      const results = await this.#session.run(inputs);
      return Object.fromEntries(
        Object.entries(results).map(([name, result]) => [
          name,
          { type: result.type, dims: result.dims, data: rawData(result) } as Value,
        ]),
      );
    } catch (cause) {
      throw new PcppError('E_SESSION', `ONNX Runtime failed: ${textOf(cause)}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
  }
}

/** Newer versions of Node have a Float16Array, and then ONNX Runtime uses it: back to raw bits. */
function rawData(result: Ort.Tensor): unknown {
  if (result.type !== 'float16') return result.data;
  const { buffer, byteOffset, length } = result.data as Uint16Array;
  return new Uint16Array(buffer, byteOffset, length);
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

const toPort = (meta: Ort.InferenceSession.ValueMetadata): Port => ({
  name: meta.name,
  type: meta.isTensor ? meta.type : 'other',
  dims: meta.isTensor ? [...meta.shape] : [],
});
