/** An ONNX file in memory: read, opset, shapes of its ports, small constants. External weights stay where they are. */

import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PcppError } from '../errors.js';
import {
  decodeModel,
  elementTypes,
  encodeModel,
  type GraphProto,
  type ModelProto,
  type TensorProto,
  type ValueInfoProto,
} from './messages.js';

export interface OnnxModel {
  readonly proto: ModelProto;
  readonly graph: GraphProto;
  /** Version of the standard operator set. */
  readonly opset: number;
  /** Folder that the locations of external data are relative to. */
  readonly folder: string;
  readonly hasExternalData: boolean;
}

/** A port of a graph: axes are numbers, or names where they are open. */
export interface Axes {
  readonly name: string;
  readonly elementType: number;
  readonly dims: readonly (number | string)[];
}

/**
 * @throws PcppError `E_MODEL_DIR` if the file cannot be read, `E_GRAPH` if it is no ONNX model.
 */
export async function loadModel(file: string): Promise<OnnxModel> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new PcppError('E_MODEL_DIR', `cannot read ${file}`, { cause });
  }
  return parseModel(bytes, dirname(file));
}

/** @param folder Where external data lies. @throws PcppError `E_GRAPH` if the bytes are no ONNX model. */
export function parseModel(bytes: Uint8Array, folder = '.'): OnnxModel {
  let proto: ModelProto;
  try {
    proto = decodeModel(bytes);
  } catch (cause) {
    throw new PcppError('E_GRAPH', `not an ONNX model: ${bytes.byteLength} bytes`, { cause });
  }
  if (!proto.graph?.node?.length) throw new PcppError('E_GRAPH', 'the ONNX model has no graph');
  return openModel(proto, folder);
}

export function openModel(proto: ModelProto, folder: string): OnnxModel {
  const graph = withoutExternalConstants(proto.graph!);
  const standard = (proto.opset_import ?? []).find((entry) => isStandard(entry.domain));
  return {
    proto: graph === proto.graph ? proto : { ...proto, graph },
    graph,
    opset: Number(standard?.version ?? 1),
    folder,
    hasExternalData: (graph.initializer ?? []).some((tensor) => tensor.data_location === 1),
  };
}

/** Tables too large for the file are constants with external data: here they are weights like any other. */
function withoutExternalConstants(graph: GraphProto): GraphProto {
  const tables: TensorProto[] = [];
  const node = (graph.node ?? []).filter(({ op_type: op, attribute, output }) => {
    const tensor =
      op === 'Constant' ? attribute?.find(({ name }) => name === 'value')?.t : undefined;
    if (tensor?.data_location !== 1) return true;
    tables.push({ ...tensor, name: output![0]! });
    return false;
  });
  if (tables.length === 0) return graph;
  return { ...graph, node, initializer: [...(graph.initializer ?? []), ...tables] };
}

export const saveModel = (model: OnnxModel): Uint8Array => encodeModel(model.proto);

/** The empty string and `ai.onnx` both name the standard operators. */
export const isStandard = (domain: string | undefined): boolean => !domain || domain === 'ai.onnx';

export const axesOf = (info: ValueInfoProto): Axes => ({
  name: info.name ?? '',
  elementType: info.type?.tensor_type?.elem_type ?? 0,
  dims: (info.type?.tensor_type?.shape?.dim ?? []).map(
    (dim) => dim.dim_param || Number(dim.dim_value ?? 0),
  ),
});

export const portOf = ({ name, elementType, dims }: Axes): ValueInfoProto => ({
  name,
  type: {
    tensor_type: {
      elem_type: elementType,
      shape: {
        dim: dims.map((dim) => (typeof dim === 'number' ? { dim_value: dim } : { dim_param: dim })),
      },
    },
  },
});

export const dimsOf = (tensor: TensorProto): number[] => (tensor.dims ?? []).map(Number);

export const countOf = (tensor: TensorProto): number => dimsOf(tensor).reduce((a, b) => a * b, 1);

/**
 * The values of a small inline constant.
 *
 * @returns undefined for external data and element types that shapes are never made of.
 */
export function valuesOf(tensor: TensorProto): number[] | undefined {
  if (tensor.data_location === 1) return undefined;
  const raw = tensor.raw_data;
  if (raw && raw.byteLength > 0) {
    // Copied, because the view's offset in the file is rarely aligned (and slice() of a Buffer copies nothing).
    const bytes = new Uint8Array(raw).buffer;
    switch (tensor.data_type) {
      case elementTypes.float32:
        return [...new Float32Array(bytes)];
      case elementTypes.int64:
        return [...new BigInt64Array(bytes)].map(Number);
      case elementTypes.int32:
        return [...new Int32Array(bytes)];
      case elementTypes.bool:
        return [...new Uint8Array(bytes)];
      default:
        return undefined;
    }
  }
  switch (tensor.data_type) {
    case elementTypes.float32:
      return [...(tensor.float_data ?? [])];
    case elementTypes.int64:
      return (tensor.int64_data ?? []).map(Number);
    case elementTypes.int32:
    case elementTypes.bool:
      return [...(tensor.int32_data ?? [])];
    default:
      return undefined;
  }
}

export const int64Tensor = (
  name: string,
  values: readonly number[],
  dims: readonly number[] = [values.length],
): TensorProto => ({
  name,
  data_type: elementTypes.int64,
  dims: [...dims],
  raw_data: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

export const floatTensor = (
  name: string,
  values: readonly number[],
  dims: readonly number[] = [values.length],
): TensorProto => ({
  name,
  data_type: elementTypes.float32,
  dims: [...dims],
  raw_data: new Uint8Array(Float32Array.from(values).buffer),
});
