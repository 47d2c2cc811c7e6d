/** Every rule there is. An operator has at most one, so their order does not matter. */

import type { Rule } from './rule.js';
import { attention, gemm, matMul } from './rules/contraction.js';
import { elementwise, passThrough, shapeOnly } from './rules/elementwise.js';
import { convTranspose, depthToSpace } from './rules/enlarging.js';
import { groupNorm, instanceNorm } from './rules/group-norm.js';
import { concat, gather, slice, split } from './rules/joining.js';
import { einsum, expand, reshape, transpose } from './rules/layout.js';
import { featureNorm, reduce, softmax } from './rules/reduction.js';
import { convolution, pad, resize } from './rules/stencil.js';

export const rules: readonly Rule[] = [
  elementwise,
  passThrough,
  shapeOnly,
  transpose,
  reshape,
  expand,
  einsum,
  concat,
  split,
  slice,
  gather,
  softmax,
  featureNorm,
  reduce,
  convolution,
  resize,
  convTranspose,
  depthToSpace,
  pad,
  matMul,
  gemm,
  attention,
  instanceNorm,
  groupNorm,
];
