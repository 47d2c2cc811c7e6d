/** Reads .safetensors files, the format of the golden tensors. */

import { readFileSync } from 'node:fs';

interface Arrays {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  /** Raw bits. */
  readonly float16: Uint16Array;
  readonly int64: BigInt64Array;
  readonly int32: Int32Array;
  readonly uint8: Uint8Array;
}

export type SafeTensor = {
  [Type in keyof Arrays]: {
    readonly dtype: Type;
    readonly dims: readonly number[];
    readonly data: Arrays[Type];
  };
}[keyof Arrays];

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [from: number, to: number];
}

/** All tensors of the file by name, copied out of it. */
export function readSafetensors(path: string | URL): Record<string, SafeTensor> {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<string, Entry>;
  const base = file.byteOffset + 8 + headerBytes;
  const tensors: Record<string, SafeTensor> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [from, to] = entry.data_offsets;
    // Copied, because a typed array needs an aligned offset and the file promises none.
    tensors[name] = typed(entry, file.buffer.slice(base + from, base + to) as ArrayBuffer);
  }
  return tensors;
}

/** The float32 values of one tensor. */
export function floats(tensors: Record<string, SafeTensor>, name: string): Float32Array {
  const found = tensors[name];
  if (found?.dtype !== 'float32') {
    throw new Error(`no float32 tensor ${name}; there are ${Object.keys(tensors).join(', ')}`);
  }
  return found.data;
}

function typed(entry: Entry, bytes: ArrayBuffer): SafeTensor {
  const dims = entry.shape;
  switch (entry.dtype) {
    case 'F32':
      return { dtype: 'float32', dims, data: new Float32Array(bytes) };
    case 'F64':
      return { dtype: 'float64', dims, data: new Float64Array(bytes) };
    case 'F16':
      return { dtype: 'float16', dims, data: new Uint16Array(bytes) };
    case 'I64':
      return { dtype: 'int64', dims, data: new BigInt64Array(bytes) };
    case 'I32':
      return { dtype: 'int32', dims, data: new Int32Array(bytes) };
    case 'U8':
      return { dtype: 'uint8', dims, data: new Uint8Array(bytes) };
    default:
      throw new Error(`safetensors type ${entry.dtype} is not read here`);
  }
}
