// Before: MatMul(q, kT), Softmax, MatMul(p, v) on own rows
// After:  MatMul(q, Concat(before, kT, after)), Softmax, MatMul(p, Concat(before, v, after)); slices of kT and v leave
//
// Keys of cross-attention derive from the text, carry no tag, and nothing happens.

import { intOf, textOf } from '../../onnx/graph.js';
import type { Case, Outcome, Rule } from '../rule.js';
import { moveAxes, type RowTag } from '../tags.js';

export const matMul: Rule = {
  name: 'mat-mul',
  ops: ['MatMul'],
  apply: (at) => {
    const left = at.rows(0);
    const right = at.rows(1);
    const leftRank = at.shape(0).length;
    const rightRank = at.shape(1).length;
    const rank = at.outShape().length;
    if (left && !right) {
      if (left.axis === leftRank - 1 || left.key?.axis === leftRank - 1) {
        at.refuse('it sums over image rows with fixed weights');
      }
      return { tags: [shifted(left, rank - leftRank)] };
    }
    if (!left && right) {
      if (right.axis !== rightRank - 1 || right.key) at.refuse('it sums over image rows');
      return { tags: [shifted(right, rank - rightRank)] };
    }
    return contract(at, left!, right!, rank);
  },
};

function contract(at: Case, left: RowTag, right: RowTag, rank: number): Outcome {
  const leftRank = at.shape(0).length;
  const rightRank = at.shape(1).length;
  const edit = { kind: 'attention', operands: [1] } as const;
  const queryFirst = left.axis === leftRank - 2;
  const isScores = queryFirst && !left.key && !right.key && right.axis === rightRank - 1;
  const isValues =
    queryFirst && left.key?.axis === leftRank - 1 && right.axis === rightRank - 2 && !right.key;
  if (left.rows !== right.rows) at.refuse('queries and keys lie on different levels');
  const queries: RowTag = {
    kind: 'rows',
    axis: rank - 2,
    inner: left.inner,
    rows: left.rows,
    ...(left.text ? { text: left.text } : {}),
  };
  const text = right.text ? { text: right.text } : {};
  if (isScores) {
    return { tags: [{ ...queries, key: { axis: rank - 1, inner: right.inner, ...text } }], edit };
  }
  if (isValues) return { tags: [queries], edit };
  return at.refuse(
    'both operands have rows and it is neither queries times keys nor scores times values',
    'export the plain attention processor (MatMul, Softmax, MatMul)',
  );
}

const shifted = (tag: RowTag, shift: number): RowTag => moveAxes(tag, (axis) => axis + shift);

export const gemm: Rule = {
  name: 'gemm',
  ops: ['Gemm'],
  apply: (at) => {
    const tag = at.rows(0);
    const isRows = tag?.axis === 0 && !tag.key && intOf(at.node, 'transA', 0) === 0;
    if (!isRows || at.rows(1) || (at.node.input![2] && at.rows(2))) {
      return at.refuse('its rows are not the first axis of its first operand');
    }
    return { tags: [shifted(tag, 0)] };
  },
};

// Before: Attention(q, k, v)
// After:  Attention(q, Concat(before, k, after), Concat(before, v, after)); slices of k and v leave
export const attention: Rule = {
  name: 'attention',
  ops: ['Attention', 'com.microsoft:MultiHeadAttention'],
  apply: (at) => {
    const [query, key, value] = [
      at.rows(0),
      at.node.input![1] && at.rows(1),
      at.node.input![2] && at.rows(2),
    ];
    if (!query || at.node.input!.length < 3 || query.axis !== at.shape(0).length - 2) {
      return at.refuse(
        'its queries are not [N, L, D] or [N, heads, L, D] with rows on L',
        'give the unfused export',
      );
    }
    const out: Outcome = { tags: [shifted(query, 0)] };
    if (!key && !value) return out;
    const onTokens = (tag: RowTag | '' | undefined, index: number): boolean =>
      !!tag && tag.axis === at.shape(index).length - 2 && tag.rows === query.rows;
    const masks = at.node.input!.slice(at.node.domain ? 4 : 3).some((name) => name !== '');
    if (masks || intOf(at.node, 'is_causal', 0) === 1) {
      at.refuse('it masks or caches keys', 'export without masks and key caches');
    }
    if (!onTokens(key, 1) || !onTokens(value, 2) || textOf(at.node, 'layout', '') !== '') {
      at.refuse('keys and values do not both have the rows of the queries');
    }
    return { ...out, edit: { kind: 'attention', operands: [1, 2] } };
  },
};
