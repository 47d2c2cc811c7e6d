/** Dense float32 tensors in row-major order, and the few row operations that patches need. */

import { PcppError } from './errors.js';

export interface Tensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export const sizeOf = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/**
 * @param data Row-major values; zeros when left out.
 * @throws PcppError `E_SHAPE` if `data` does not hold exactly `dims` values.
 */
export function tensor(dims: readonly number[], data?: Float32Array): Tensor {
  const size = sizeOf(dims);
  if (data && data.length !== size) {
    throw new PcppError('E_SHAPE', `[${dims}] holds ${size} values, got ${data.length}`);
  }
  return { dims, data: data ?? new Float32Array(size) };
}

/** Rows [from, to) of an [N, C, H, W] tensor, copied. */
export function takeRows(image: Tensor, from: number, to: number): Tensor {
  const [n, c, h, w] = nchw(image);
  const out = tensor([n, c, to - from, w]);
  for (let plane = 0; plane < n * c; plane++) {
    const start = (plane * h + from) * w;
    out.data.set(image.data.subarray(start, start + (to - from) * w), plane * (to - from) * w);
  }
  return out;
}

/** Row-wise concatenation of [N, C, h_i, W] tensors: the inverse of cutting with `takeRows`. */
export function concatRows(parts: readonly Tensor[]): Tensor {
  const [n, c, , w] = nchw(parts[0]!);
  const height = parts.reduce((sum, part) => sum + part.dims[2]!, 0);
  const out = tensor([n, c, height, w]);
  let row = 0;
  for (const part of parts) {
    const h = part.dims[2]!;
    for (let plane = 0; plane < n * c; plane++) {
      const source = part.data.subarray(plane * h * w, (plane + 1) * h * w);
      out.data.set(source, (plane * height + row) * w);
    }
    row += h;
  }
  return out;
}

/** Concatenation along the batch axis. */
export function concatBatch(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  const batch = parts.reduce((sum, part) => sum + part.dims[0]!, 0);
  const out = tensor([batch, ...first!.dims.slice(1)]);
  let offset = 0;
  for (const part of parts) {
    out.data.set(part.data, offset);
    offset += part.data.length;
  }
  return out;
}

/** Batch entries [from, to), as a view. */
export function takeBatch(source: Tensor, from: number, to: number): Tensor {
  const stride = sizeOf(source.dims.slice(1));
  return {
    dims: [to - from, ...source.dims.slice(1)],
    data: source.data.subarray(from * stride, to * stride),
  };
}

/** @throws PcppError `E_SHAPE` if the tensor has not four axes. */
export function nchw(image: Tensor): readonly [n: number, c: number, h: number, w: number] {
  if (image.dims.length !== 4) {
    throw new PcppError('E_SHAPE', `expected [N, C, H, W], got [${image.dims}]`);
  }
  const [n, c, h, w] = image.dims;
  return [n!, c!, h!, w!];
}
