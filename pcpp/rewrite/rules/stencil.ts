// Before: Conv(x, w) with pads [1, 1, 1, 1]
// After:  Conv(Concat(before, x, after), w) with pads [0, 1, 0, 1]; slices of x leave as the next step's borders
//
// Before: Conv(x, w) whose kernel fits its stride: patches of an image become tokens
// After:  the same
//
// At the image's edge `before` and `after` are zero rows, which is what padding was: one graph fits every patch.

import { intOf, intsOf, textOf } from '../../onnx/graph.js';
import type { Case, Rule } from '../rule.js';
import { moveAxes, type RowTag } from '../tags.js';

export const convolution: Rule = {
  name: 'convolution',
  ops: ['Conv'],
  apply: (at) => {
    const tag = imageTag(at);
    const kernel = intsOf(at.node, 'kernel_shape') ?? at.shape(1).slice(2);
    const strides = intsOf(at.node, 'strides') ?? [1, 1];
    const dilations = intsOf(at.node, 'dilations') ?? [1, 1];
    const [top, left, bottom, right] = intsOf(at.node, 'pads') ?? [0, 0, 0, 0];
    const automatic = textOf(at.node, 'auto_pad', 'NOTSET');
    if (automatic !== 'NOTSET' && automatic !== 'VALID') {
      at.refuse(`auto_pad ${automatic} depends on the size`, 'export with explicit pads');
    }
    const rows = at.outShape()[2]!;
    if (tag.rows % rows !== 0 || tag.rows / rows !== strides[0]) {
      at.refuse(
        `${tag.rows} rows become ${rows} at stride ${strides[0]}`,
        'export with padding that keeps whole levels',
      );
    }
    const out: RowTag = { kind: 'rows', axis: 2, inner: 1, rows };
    const reach = (kernel[0]! - 1) * dilations[0]! + 1;
    const isLocal = reach <= strides[0]! && top === 0 && bottom === 0;
    if (isLocal) return { tags: [out] };
    return {
      tags: [out],
      edit: {
        kind: 'conv',
        kernel: kernel[0]!,
        stride: strides[0]!,
        dilation: dilations[0]!,
        pads: [top!, left!, bottom!, right!],
        fresh: tag.raw === true,
      },
    };
  },
};

// Before: Resize(x, sizes) or Resize(x, scales), nearest, whole factors
// After:  Resize(x, scales)
export const resize: Rule = {
  name: 'resize',
  ops: ['Resize'],
  apply: (at) => {
    const tag = imageTag(at);
    const from = at.shape(0);
    const to = at.outShape();
    const scales = to.map((dim, axis) => dim / from[axis]!);
    const mode = textOf(at.node, 'mode', 'nearest');
    const rule = `${textOf(at.node, 'coordinate_transformation_mode', 'half_pixel')}, ${textOf(at.node, 'nearest_mode', 'round_prefer_floor')}`;
    const repeats = [
      'asymmetric, floor',
      'half_pixel, round_prefer_floor',
      'half_pixel, round_prefer_ceil',
    ];
    if (mode !== 'nearest') {
      at.refuse(
        `it interpolates (${mode}), which would read other patches' rows`,
        'export with nearest upsampling',
      );
    }
    if (
      !scales.every((scale) => Number.isInteger(scale)) ||
      !repeats.includes(rule) ||
      intsOf(at.node, 'axes')
    ) {
      at.refuse(
        `it does not repeat rows a whole number of times (${rule}; ${scales})`,
        'export with nearest upsampling by a whole factor',
      );
    }
    return {
      tags: [{ kind: 'rows', axis: 2, inner: 1, rows: tag.rows * scales[2]! }],
      edit: { kind: 'resize', scales },
    };
  },
};

// Before: Pad(x) on columns or channels
// After:  the same; on rows it is refused.
export const pad: Rule = {
  name: 'pad',
  ops: ['Pad'],
  apply: (at) => {
    const tag = at.rows(0)!;
    const rank = at.shape(0).length;
    const axes = at.node.input![3] ? at.constant(3) : [...Array(rank).keys()];
    const pads = at.constant(1);
    const position = axes?.findIndex((axis) => (axis + rank) % rank === tag.axis) ?? -1;
    const before = position < 0 ? 0 : pads?.[position];
    const after = position < 0 ? 0 : pads?.[position + (axes?.length ?? 0)];
    if (!axes || !pads || before !== 0 || after !== 0) {
      at.refuse('it pads image rows', 'export with the padding inside the convolution (padding=1)');
    }
    return { tags: [moveAxes(tag, (same) => same)] };
  },
};

export function imageTag(at: Case): RowTag {
  const tag = at.rows(0);
  const isImage = tag && !tag.text && at.shape(0).length === 4 && tag.axis === 2 && tag.inner === 1;
  if (!isImage || at.node.input!.slice(1).some((name) => name && at.tagOf(name))) {
    return at.refuse('its input is not [N, C, H, W] with rows on H');
  }
  if (intOf(at.node, 'group', 1) < 1) return at.refuse('its groups are malformed');
  return tag;
}
