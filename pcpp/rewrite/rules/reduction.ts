// Before: Softmax, LayerNormalization, ReduceMean over channels, tokens' features or keys
// After:  the same; reducing over rows is refused.

import { intOf, intsOf } from '../../onnx/graph.js';
import type { Case, Rule } from '../rule.js';
import { moveAxes, type RowTag, wrapAxis } from '../tags.js';

const overRows = 'it reduces over image rows';
const overRowsRemedy = 'only group normalisation may look at all rows at once';

export const softmax: Rule = {
  name: 'softmax',
  ops: ['Softmax', 'LogSoftmax'],
  apply: (at) => {
    const tag = at.rows(0)!;
    const axis = wrapAxis(intOf(at.node, 'axis', -1), at.shape(0).length);
    if (axis === tag.axis) at.refuse(overRows, overRowsRemedy);
    return { tags: [moveAxes(tag, (same) => same)] };
  },
};

export const featureNorm: Rule = {
  name: 'feature-norm',
  ops: [
    ...['LayerNormalization', 'RMSNormalization', 'SimplifiedLayerNormalization'],
    ...['com.microsoft:SimplifiedLayerNormalization', 'LpNormalization'],
  ],
  apply: (at) => {
    const tag = at.rows(0)!;
    const rank = at.shape(0).length;
    const first = wrapAxis(intOf(at.node, 'axis', -1), rank);
    if (tag.axis >= first || (tag.key?.axis ?? -1) >= first) at.refuse(overRows, overRowsRemedy);
    return { tags: [moveAxes(tag, (same) => same)] };
  },
};

export const reduce: Rule = {
  name: 'reduce',
  ops: ['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceL2', 'ReduceSumSquare'],
  apply: (at) => {
    const tag = at.rows(0)!;
    const rank = at.shape(0).length;
    const axes = reducedAxes(at).map((axis) => wrapAxis(axis, rank));
    if (axes.length === 0 || axes.includes(tag.axis)) at.refuse(overRows, overRowsRemedy);
    if (tag.key && axes.includes(tag.key.axis)) at.refuse('it reduces over key tokens');
    const keep = intOf(at.node, 'keepdims', 1) === 1;
    const gone = (axis: number): number => axes.filter((other) => other < axis).length;
    const moved: RowTag = moveAxes(tag, (axis) => (keep ? axis : axis - gone(axis)));
    return { tags: [moved] };
  },
};

function reducedAxes(at: Case): readonly number[] {
  const listed = intsOf(at.node, 'axes');
  if (listed) return listed;
  if (!at.node.input![1]) return [];
  return at.constant(1) ?? at.refuse('the axes it reduces are not constant');
}
