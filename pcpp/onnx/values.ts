/** Flat values that go into a session and come out of it. */

import type { Value } from './session.js';

export const flatFloats = (data: Float32Array): Value => ({
  type: 'float32',
  dims: [data.length],
  data,
});

export const flatIntegers = (data: BigInt64Array): Value => ({
  type: 'int64',
  dims: [data.length],
  data,
});

/** An output the graph does not have is empty: a model without group normalisation has no moments. */
export const floatsOf = (value: Value | undefined): Float32Array =>
  value?.type === 'float32' ? value.data : new Float32Array(0);
