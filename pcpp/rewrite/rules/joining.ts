// Before: Concat, Split, Slice, Gather along channels or features
// After:  the same; along rows they are refused.

import { intOf } from '../../onnx/graph.js';
import type { Case, Rule } from '../rule.js';
import { moveAxes, type RowTag, wrapAxis } from '../tags.js';

export const concat: Rule = {
  name: 'concat',
  ops: ['Concat'],
  apply: (at) => {
    const tags = at.node.input!.map((_, index) => at.rows(index));
    const first = tags.find((tag) => tag !== undefined)!;
    const axis = wrapAxis(intOf(at.node, 'axis', 0), at.outShape().length);
    if (axis === first.axis) {
      at.refuse(
        'it joins tensors along image rows',
        'joint attention over image and text is not split yet',
      );
    }
    for (const tag of tags) {
      const same =
        tag && tag.axis === first.axis && tag.inner === first.inner && tag.rows === first.rows;
      if (!same) at.refuse('it joins tensors whose rows do not match');
    }
    return { tags: [moveAxes(first, (same) => same)] };
  },
};

export const split: Rule = {
  name: 'split',
  ops: ['Split'],
  apply: (at) => {
    const tag = at.rows(0)!;
    const axis = wrapAxis(intOf(at.node, 'axis', 0), at.shape(0).length);
    refuseRowAxis(at, tag, axis);
    return { tags: at.node.output!.map(() => moveAxes(tag, (same) => same)) };
  },
};

export const slice: Rule = {
  name: 'slice',
  ops: ['Slice'],
  apply: (at) => {
    const tag = at.rows(0)!;
    const rank = at.shape(0).length;
    const count = at.shape(1)[0] ?? 1;
    const axes = at.node.input![3] ? at.constant(3) : [...Array(count).keys()];
    if (!axes) return at.refuse('the axes it cuts are not constant');
    for (const [position, axis] of axes.entries()) {
      if (!keepsAll(at, position, wrapAxis(axis, rank)))
        refuseRowAxis(at, tag, wrapAxis(axis, rank));
    }
    return { tags: [moveAxes(tag, (same) => same)] };
  },
};

/** A slice from 0 to "the end" written as a huge number cuts nothing, at any height. */
function keepsAll(at: Case, position: number, axis: number): boolean {
  const start = at.constant(1)?.[position];
  const end = at.constant(2)?.[position];
  const step = at.node.input![4] ? at.constant(4)?.[position] : 1;
  const huge = 2 ** 31 - 1;
  return start === 0 && end !== undefined && end >= huge && step === 1 && axis >= 0;
}

export const gather: Rule = {
  name: 'gather',
  ops: ['Gather'],
  apply: (at) => {
    const tag = at.rows(0);
    if (!tag || at.rows(1)) return at.refuse('its indices depend on image rows');
    const axis = wrapAxis(intOf(at.node, 'axis', 0), at.shape(0).length);
    refuseRowAxis(at, tag, axis);
    const grown = at.shape(1).length - 1;
    return { tags: [moveAxes(tag, (own) => (own > axis ? own + grown : own))] };
  },
};

function refuseRowAxis(at: Case, tag: RowTag, axis: number): void {
  if (axis === tag.axis || axis === tag.key?.axis) {
    at.refuse('it cuts or picks along image rows', 'a patch graph owns whole rows only');
  }
}
