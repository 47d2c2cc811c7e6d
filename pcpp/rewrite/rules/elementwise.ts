// Before: Add(x, y), Sigmoid(x), Cast(x), ...
// After:  the same; an operand without rows must not vary along them.

import type { Case, Outcome, Rule } from '../rule.js';
import type { RowTag } from '../tags.js';

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
  apply: (at) => ({ tags: [aligned(at)] }),
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
    const moved: RowTag = {
      kind: 'rows',
      axis: tag.axis + shift,
      inner: tag.inner,
      rows: tag.rows,
      ...(tag.key ? { key: { axis: tag.key.axis + shift, inner: tag.key.inner } } : {}),
    };
    if (!common) common = moved;
    else if (
      common.axis !== moved.axis ||
      common.inner !== moved.inner ||
      common.rows !== moved.rows
    ) {
      at.refuse('its operands have their rows on different axes');
    } else if (!common.key) common = moved;
  }
  checkOperands(at, common!, rank);
  return common!;
}

function checkOperands(at: Case, tag: RowTag, rank: number): void {
  for (let index = 0; index < at.node.input!.length; index++) {
    if (!at.node.input![index]) continue;
    const own = at.rows(index);
    const dims = at.shape(index);
    const dimAt = (axis: number): number => dims[axis - (rank - dims.length)] ?? 1;
    if (!own && dimAt(tag.axis) !== 1) {
      at.refuse(
        `operand ${index} has a value of its own for every row`,
        'position tables and masks over image rows are not split yet',
      );
    }
    if (tag.key && !own?.key && dimAt(tag.key.axis) !== 1) {
      at.refuse(
        `operand ${index} has a value of its own for every key token`,
        'export without masks',
      );
    }
  }
}

export const shapeOnly: Rule = {
  name: 'shape-only',
  ops: ['Shape', 'Size'],
  // Read at run time from the patch's own tensor; what may not depend on rows is checked where it is used.
  apply: (): Outcome => ({ tags: [undefined] }),
};
