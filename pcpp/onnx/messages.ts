/**
 * The messages of an ONNX file, as far as this project reads or writes them, and their codec.
 *
 * Fields keep the schema's names. What is not listed here (metadata, functions, training information) passes through
 * decode and encode untouched, and so do weights: `raw_data` is a view of the file's bytes.
 */

import { onnx } from './proto/onnx.js';

/** A 64-bit integer as protobufjs yields it; `Number()` makes it plain. */
export interface Long {
  toNumber(): number;
}

export interface TensorProto {
  name?: string;
  data_type?: number;
  dims?: (number | Long)[];
  raw_data?: Uint8Array;
  float_data?: number[];
  int32_data?: number[];
  int64_data?: (number | Long)[];
  double_data?: number[];
  /** 1: the values lie in another file; `external_data` names it, with offset and length. */
  data_location?: number;
  external_data?: { key?: string; value?: string }[];
}

export interface AttributeProto {
  name?: string;
  type?: number;
  f?: number;
  i?: number | Long;
  s?: Uint8Array;
  t?: TensorProto | null;
  g?: GraphProto | null;
  floats?: number[];
  ints?: (number | Long)[];
}

export interface NodeProto {
  name?: string;
  op_type?: string;
  domain?: string;
  input?: string[];
  output?: string[];
  attribute?: AttributeProto[];
}

export interface Dimension {
  dim_value?: number | Long;
  dim_param?: string;
}

export interface ValueInfoProto {
  name?: string;
  type?: {
    tensor_type?: { elem_type?: number; shape?: { dim?: Dimension[] } | null } | null;
  } | null;
}

export interface GraphProto {
  name?: string;
  node?: NodeProto[];
  initializer?: TensorProto[];
  input?: ValueInfoProto[];
  output?: ValueInfoProto[];
  value_info?: ValueInfoProto[];
  quantization_annotation?: unknown[];
}

export interface ModelProto {
  ir_version?: number | Long;
  producer_name?: string;
  opset_import?: { domain?: string; version?: number | Long }[];
  graph?: GraphProto | null;
}

interface Codec {
  decode(bytes: Uint8Array): ModelProto;
  encode(message: ModelProto): { finish(): Uint8Array };
}

const codec = (onnx as { readonly ModelProto: Codec }).ModelProto;

/** @throws Error of protobufjs if the bytes are not an ONNX model. */
export const decodeModel = (bytes: Uint8Array): ModelProto => codec.decode(bytes);

export const encodeModel = (model: ModelProto): Uint8Array => codec.encode(model).finish();

/** Element types by their number in the schema. */
export const elementTypes = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
} as const;
