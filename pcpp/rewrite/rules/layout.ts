// Before: Reshape(x, [N, H * W, C])
// After:  Reshape(x, [N, -1, C]): the row axis is left open, all others are fixed.

import { intsOf, textOf } from '../../onnx/graph.js';
import type { Case, Edit, Outcome, Rule } from '../rule.js';
import { moveAxes, type RowTag, reshapeAxis, sameDims, type Tag } from '../tags.js';

export const transpose: Rule = {
  name: 'transpose',
  ops: ['Transpose'],
  apply: (at) => {
    const rank = at.shape(0).length;
    const order = intsOf(at.node, 'perm') ?? [...Array(rank).keys()].reverse();
    return { tags: [moveAxes(at.rows(0)!, (axis) => order.indexOf(axis))] };
  },
};

export const reshape: Rule = {
  name: 'reshape',
  ops: ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'],
  apply: (at) => {
    const from = at.shape(0);
    const to = at.outShape();
    const tag = at.tagOf(at.node.input![0]!)!;
    if (tag.kind === 'groups') return leaveGroups(at, tag, to);
    const run = reshapeAxis(from, to, tag);
    if (!run) return enterGroups(at, tag, from, to);
    const key = tag.key && reshapeAxis(from, to, { ...tag.key, rows: tag.rows });
    if (tag.key && !key) at.refuse('it mixes key tokens with other axes');
    const moved: RowTag = {
      ...moveAxes(tag, (same) => same),
      ...run,
      ...(key ? { key: { ...tag.key, ...key } } : {}),
    };
    return { tags: [moved], edit: { kind: 'reshape', shape: openShape(at, tag, moved, to) } };
  },
};

/** The target shape with -1 on the row axis. Of two open axes, one must keep its place, so that 0 can copy it. */
function openShape(at: Case, from: RowTag, to: RowTag, dims: readonly number[]): number[] {
  const shape = [...dims];
  shape[to.axis] = -1;
  if (!to.key) return shape;
  if (from.key!.axis === to.key.axis) shape[to.key.axis] = 0;
  else if (from.axis === to.axis) {
    shape[to.axis] = 0;
    shape[to.key.axis] = -1;
  } else at.refuse('it moves the query and the key axis of attention scores at once');
  return shape;
}

// Before: [N, C, H, W] or [N, C, H * W] -> [N, groups, C / groups * H * W]
function enterGroups(
  at: Case,
  tag: RowTag,
  from: readonly number[],
  to: readonly number[],
): Outcome {
  const isImage = from.length === 4 && tag.inner === 1 && !tag.text;
  const isGroups =
    (isImage || (from.length === 3 && !tag.text)) &&
    tag.axis === 2 &&
    to.length === 3 &&
    to[0] === from[0];
  if (!isGroups || from[1]! % to[1]! !== 0) {
    at.refuse(
      `the rows of [${from}] fall on no single axis of [${to}]`,
      'reshapes must keep rows whole, or form the groups of a group normalisation',
    );
  }
  const width = isImage ? from[3]! : tag.inner;
  const source = at.node.input![0]!;
  const groups: Tag = { kind: 'groups', source, dims: from, width, rows: tag.rows };
  return { tags: [groups], edit: { kind: 'reshape', shape: [to[0]!, to[1]!, -1] } };
}

function leaveGroups(at: Case, tag: Tag & { kind: 'groups' }, to: readonly number[]): Outcome {
  if (!sameDims(to, tag.dims)) {
    at.refuse(`it leaves the groups of [${tag.dims}] with the shape [${to}]`);
  }
  const edit: Edit = { kind: 'reshape', shape: [to[0]!, to[1]!, -1, ...to.slice(3)] };
  const inner = to.length === 3 ? tag.width : 1;
  return { tags: [{ kind: 'rows', axis: 2, inner, rows: tag.rows }], edit };
}

// Before: Expand(x, [N, L, D, 2])
// After:  Expand(x, [N, 1, D, 2]): one means as many as there are
export const expand: Rule = {
  name: 'expand',
  ops: ['Expand'],
  apply: (at) => {
    const tag = at.rows(0)!;
    const from = at.shape(0);
    const to = at.outShape();
    const moved = moveAxes(tag, (axis) => axis + to.length - from.length);
    if (tag.key || to[moved.axis] !== from[tag.axis]) {
      at.refuse('it repeats rows or key tokens', 'export with operands of their full size');
    }
    if (sameDims(from, to)) {
      const shape = to.map((dim, axis) => (axis === tag.axis ? -1 : dim));
      return { tags: [moved], edit: { kind: 'reshape', shape } };
    }
    const shape = to.map((dim, axis) => (axis === moved.axis ? 1 : dim));
    return { tags: [moved], edit: { kind: 'expand', shape } };
  },
};

// Before: Einsum(x) with the equation nhwpqc->nchpwq
// After:  Transpose(x)
export const einsum: Rule = {
  name: 'einsum',
  ops: ['Einsum'],
  apply: (at) => {
    const equation = textOf(at.node, 'equation', '').replaceAll(' ', '');
    const [from, to] = equation.split('->') as [string, string | undefined];
    const isPermutation =
      to !== undefined &&
      /^[a-zA-Z]+$/.test(from) &&
      new Set(from).size === from.length &&
      [...from].sort().join('') === [...to].sort().join('');
    if (!isPermutation) {
      return at.refuse(
        `its equation ${equation} is more than another order of axes`,
        'export with MatMul attention',
      );
    }
    const order = [...to].map((letter) => from.indexOf(letter));
    return {
      tags: [moveAxes(at.rows(0)!, (axis) => order.indexOf(axis))],
      edit: { kind: 'transpose', order },
    };
  },
};
