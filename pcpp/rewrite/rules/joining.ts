// Before: Concat, Split, Slice, Gather along channels or features
// After:  the same; along rows they are refused.
//
// Before: Concat(image tokens, text tokens), and Slice or Split that take them apart again: joint attention
// After:  Concat(own image tokens, text tokens), and cuts at the number of own image tokens
//
// The text is the same for all patches and everybody computes it; what it becomes in attention has no rows either.

import { intOf } from '../../onnx/graph.js';
import type { Case, Edit, Outcome, Rule } from '../rule.js';
import { moveAxes, type RowTag, sameRows, type TextTokens, wrapAxis } from '../tags.js';

export const concat: Rule = {
  name: 'concat',
  ops: ['Concat'],
  apply: (at) => {
    const tags = at.node.input!.map((_, index) => at.rows(index));
    const first = tags.find((tag) => tag !== undefined)!;
    const axis = wrapAxis(intOf(at.node, 'axis', 0), at.outShape().length);
    if (axis === first.axis) return joinText(at, first, tags);
    for (const tag of tags) {
      if (!tag || !sameRows(tag, first)) at.refuse('it joins tensors whose rows do not match');
    }
    return { tags: [moveAxes(first, (same) => same)] };
  },
};

function joinText(at: Case, image: RowTag, tags: readonly (RowTag | undefined)[]): Outcome {
  const position = tags.indexOf(image);
  const others = tags.filter((tag) => tag !== undefined).length - 1;
  const isFirst = position === 0;
  if (others > 0 || image.text || image.key || !(isFirst || position === tags.length - 1)) {
    return at.refuse(
      'it joins tensors along image rows',
      'only a text before or behind the image, as in joint attention, is split',
    );
  }
  const tokens = at.outShape()[image.axis]! - image.rows * image.inner;
  const text: TextTokens = { side: isFirst ? 'after' : 'before', tokens };
  return { tags: [{ ...moveAxes(image, (same) => same), text }] };
}

export const split: Rule = {
  name: 'split',
  ops: ['Split'],
  apply: (at) => {
    const tag = at.rows(0)!;
    const axis = wrapAxis(intOf(at.node, 'axis', 0), at.shape(0).length);
    if (axis === tag.axis && tag.text) {
      let start = 0;
      const ranges = at.node.output!.map((_, index) => {
        const from = start;
        start += at.outShape(index)[axis]!;
        return [from, start] as const;
      });
      return partsOf(at, tag, ranges);
    }
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
      if (keepsAll(at, position, wrapAxis(axis, rank))) continue;
      if (tag.text && wrapAxis(axis, rank) === tag.axis && axes.length === 1) {
        return partsOf(at, tag, [rangeOf(at, tag)]);
      }
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

/** What a slice along the row axis keeps, while probing. */
function rangeOf(at: Case, tag: RowTag): readonly [from: number, to: number] {
  const size = at.shape(0)[tag.axis]!;
  const step = at.node.input![4] ? at.constant(4)?.[0] : 1;
  const bounds = [1, 2].map((input) => at.constant(input)?.[0]);
  const [from, to] = bounds.map((bound) =>
    Math.min(size, Math.max(0, bound! < 0 ? bound! + size : bound!)),
  );
  if (step !== 1 || bounds.includes(undefined)) {
    return at.refuse('the bounds between image and text are not computed from their lengths');
  }
  return [from!, to!];
}

/** @param ranges By output, while probing: each must be the image, or the text. */
function partsOf(
  at: Case,
  tag: RowTag,
  ranges: readonly (readonly [from: number, to: number])[],
): Outcome {
  const { axis, inner, rows } = tag;
  const { side, tokens } = tag.text!;
  const image = side === 'after' ? [0, rows * inner] : [tokens, tokens + rows * inner];
  const text = side === 'after' ? [rows * inner, rows * inner + tokens] : [0, tokens];
  const is = (range: readonly number[], part: readonly number[]): boolean =>
    range[0] === part[0] && range[1] === part[1];
  const parts = ranges.map((range) => {
    if (is(range, image)) return 'image';
    if (is(range, text)) return 'text';
    return at.refuse(
      `it keeps tokens ${range[0]} to ${range[1]}, which are neither the image nor the text`,
      'a patch graph owns whole rows only',
    );
  });
  const own: RowTag = { kind: 'rows', axis, inner, rows };
  const edit: Edit = { kind: 'part', axis, inner, rows, text: side, parts };
  return { tags: parts.map((part) => (part === 'image' ? own : undefined)), edit };
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
