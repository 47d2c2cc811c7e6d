// Before: InstanceNormalization(Reshape(x, groups)), or GroupNormalization(x)
// After:  x * s + t, with s and t from a * (own moments) + b. The host supplies a and b, so one graph serves every mode;
//         the moments of each row leave as `gn_rows`.

import { floatOf, intOf } from '../../onnx/graph.js';
import type { Rule } from '../rule.js';
import { moveAxes } from '../tags.js';

export const instanceNorm: Rule = {
  name: 'instance-norm',
  ops: ['InstanceNormalization'],
  apply: (at) => {
    const tag = at.tagOf(at.node.input![0]!)!;
    const epsilon = floatOf(at.node, 'epsilon', 1e-5);
    const dims = at.shape(0);
    const common = { kind: 'norm', groups: dims[1]!, epsilon, perChannel: false } as const;
    if (tag.kind === 'groups') {
      const { source, width } = tag;
      const channels = tag.dims[1]!;
      return { tags: [tag], edit: { ...common, source, channels, width, flat: true } };
    }
    // As many groups as channels: the reshape before it kept the rows on an axis of their own.
    const flat = dims.length === 3;
    if (tag.axis !== 2 || tag.text || (!flat && (dims.length !== 4 || tag.inner !== 1))) {
      at.refuse('its input is neither [N, C, H, W] nor the groups of one');
    }
    const width = flat ? tag.inner : dims[3]!;
    const source = at.node.input![0]!;
    return {
      tags: [moveAxes(tag, (same) => same)],
      edit: { ...common, source, channels: dims[1]!, width, flat },
    };
  },
};

export const groupNorm: Rule = {
  name: 'group-norm',
  ops: ['GroupNormalization'],
  apply: (at) => {
    const tag = at.rows(0)!;
    const dims = at.shape(0);
    if (dims.length !== 4 || tag.axis !== 2 || tag.inner !== 1) {
      at.refuse('its input is not [N, C, H, W]');
    }
    return {
      tags: [moveAxes(tag, (same) => same)],
      edit: {
        kind: 'norm',
        source: at.node.input![0]!,
        channels: dims[1]!,
        width: dims[3]!,
        flat: false,
        groups: intOf(at.node, 'num_groups', 1),
        epsilon: floatOf(at.node, 'epsilon', 1e-5),
        perChannel: at.opset >= 21,
      },
    };
  },
};
