// Before: ConvTranspose(x, w) whose kernel is its stride, or DepthToSpace(x)
// After:  the same: every row becomes whole rows of its own, and no two share one.

import { intOf, intsOf, textOf } from '../../onnx/graph.js';
import type { Rule } from '../rule.js';
import { imageTag } from './stencil.js';

export const convTranspose: Rule = {
  name: 'conv-transpose',
  ops: ['ConvTranspose'],
  apply: (at) => {
    const tag = imageTag(at);
    const kernel = (intsOf(at.node, 'kernel_shape') ?? at.shape(1).slice(2))[0]!;
    const stride = intsOf(at.node, 'strides')?.[0] ?? 1;
    const [top, , bottom] = intsOf(at.node, 'pads') ?? [0, 0, 0, 0];
    const added = intsOf(at.node, 'output_padding')?.[0] ?? 0;
    const automatic = textOf(at.node, 'auto_pad', 'NOTSET');
    const isWhole =
      kernel === stride && top === 0 && bottom === 0 && added === 0 && automatic === 'NOTSET';
    if (!isWhole || intsOf(at.node, 'output_shape')) {
      at.refuse(
        `its kernel of ${kernel} rows at stride ${stride} makes rows of several rows`,
        'export with nearest upsampling and a convolution',
      );
    }
    return { tags: [{ kind: 'rows', axis: 2, inner: 1, rows: tag.rows * stride }] };
  },
};

export const depthToSpace: Rule = {
  name: 'depth-to-space',
  ops: ['DepthToSpace'],
  apply: (at) => {
    const block = intOf(at.node, 'blocksize', 1);
    return { tags: [{ kind: 'rows', axis: 2, inner: 1, rows: imageTag(at).rows * block }] };
  },
};
