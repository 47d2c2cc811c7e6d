// Before: Add(x, y), Sigmoid(x), Cast(x), ...
// After:  the same
//
// Before: Add(x, table), the table with a value for every row of the image
// After:  Add(x, Slice(table)): the values of the patch's own rows

import type { Case, Edit, Outcome, Rule } from '../rule.js';
import { inputsOfTable } from '../tables.js';
import { moveAxes, type RowTag, sameRows } from '../tags.js';

export const elementwise: Rule = {
  name: 'elementwise',
  ops: [
    ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Min', 'Max', 'Mean', 'Sum', 'Where', 'Mod', 'PRelu'],
    ...['Abs', 'Neg', 'Exp', 'Log', 'Sqrt', 'Reciprocal', 'Sign', 'Floor', 'Ceil', 'Round', 'Clip'],
    ...['Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Erf', 'Gelu', 'Relu', 'LeakyRelu', 'Elu'],
    ...['Selu', 'Mish', 'Swish', 'Softplus', 'Softsign', 'ThresholdedRelu', 'Sin', 'Cos', 'Not'],
    ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'And', 'Or', 'Xor', 'IsNaN'],
    ...['com.microsoft:Gelu', 'com.microsoft:QuickGelu', 'com.microsoft:FastGelu'],
    ...['com.microsoft:BiasGelu'],
  ],
  apply: (at) => {
    const tag = aligned(at);
    const edit = tableEdit(at, tag);
    return { tags: [tag], ...(edit ? { edit } : {}) };
  },
};

/** Casts and copies: the latent stays the bare latent. */
export const passThrough: Rule = {
  name: 'pass-through',
  ops: ['Cast', 'Identity', 'Dropout'],
  apply: (at) => ({ tags: [at.rows(0)] }),
};

/** The common tag of all operands, aligned from the right as broadcasting aligns them. */
function aligned(at: Case): RowTag {
  const rank = at.outShape().length;
  let common: RowTag | undefined;
  for (let index = 0; index < at.node.input!.length; index++) {
    const tag = at.node.input![index] ? at.rows(index) : undefined;
    if (!tag) continue;
    const shift = rank - at.shape(index).length;
    const moved = moveAxes(tag, (axis) => axis + shift);
    if (!common) common = moved;
    else if (!sameRows(common, moved)) {
      at.refuse('its operands have their rows on different axes');
    } else if (!common.key) common = moved;
  }
  return common!;
}

function tableEdit(at: Case, tag: RowTag): Edit | undefined {
  const rank = at.outShape().length;
  const operands: { index: number; axis: number }[] = [];
  for (let index = 0; index < at.node.input!.length; index++) {
    if (!at.node.input![index]) continue;
    const own = at.rows(index);
    const dims = at.shape(index);
    const dimAt = (axis: number): number => dims[axis - (rank - dims.length)] ?? 1;
    if (!own && dimAt(tag.axis) !== 1) {
      requireTable(at, index, tag);
      operands.push({ index, axis: tag.axis - (rank - dims.length) });
    }
    if (tag.key && !own?.key && dimAt(tag.key.axis) !== 1) {
      at.refuse(
        `operand ${index} has a value of its own for every key token`,
        'export without masks',
      );
    }
  }
  const { inner, rows } = tag;
  return operands.length > 0 ? { kind: 'table', operands, inner, rows } : undefined;
}

function requireTable(at: Case, index: number, tag: RowTag): void {
  const what = `operand ${index} has a value of its own for every row`;
  const [input] = inputsOfTable(at.view, at.node.input![index]!);
  if (input !== undefined) {
    at.refuse(
      `${what}, and is made of the input "${input}"`,
      'only tables of constants and of the image size are split: compute it inside the graph',
    );
  }
  if (tag.text) {
    at.refuse(`${what} and for the text beside them`, 'export tables for the image alone');
  }
}

export const shapeOnly: Rule = {
  name: 'shape-only',
  ops: ['Shape', 'Size'],
  // Read at run time from the patch's own tensor; what may not depend on rows is checked where it is used.
  apply: (): Outcome => ({ tags: [undefined] }),
};
