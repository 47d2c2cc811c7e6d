/** Spreads row tags from the latent through the graph and collects what has to change. */

import { type GraphView, viewOf } from '../onnx/graph.js';
import type { NodeProto } from '../onnx/messages.js';
import type { OnnxModel } from '../onnx/model.js';
import type { Oracle } from '../onnx/oracle.js';
import { operatorOf, refuse, refuseOperator } from './refusals.js';
import type { Case, Edit, Rule } from './rule.js';
import { rules } from './rules.js';
import { shapesOfTable } from './tables.js';
import type { RowTag, Tag, TextTokens } from './tags.js';

export interface Propagation {
  readonly view: GraphView;
  /** By value name; a value without a tag has no rows. */
  readonly tags: ReadonlyMap<string, Tag>;
  readonly edits: ReadonlyMap<NodeProto, Edit>;
}

const byOperator: ReadonlyMap<string, Rule> = new Map(
  rules.flatMap((rule) => rule.ops.map((op) => [op, rule] as const)),
);

/**
 * @param given Tags of the inputs that have rows, by name.
 * @throws PcppError `E_GRAPH` at the first node that cannot be split.
 */
export function propagate(
  model: OnnxModel,
  oracle: Oracle,
  given: ReadonlyMap<string, RowTag>,
): Propagation {
  const view = viewOf(model.graph);
  const tags = new Map<string, Tag>(given);
  const edits = new Map<NodeProto, Edit>();
  for (const node of view.nodes) {
    if (!(node.input ?? []).some((name) => tags.has(name))) continue;
    const rule = byOperator.get(operatorOf(node)) ?? refuseOperator(node);
    const outcome = rule.apply(caseOf(node, view, oracle, model.opset, tags));
    for (const [index, tag] of outcome.tags.entries()) {
      const name = node.output?.[index];
      if (name && tag) tags.set(name, tag);
    }
    if (outcome.edit) edits.set(node, outcome.edit);
  }
  for (const [node, edit] of [...edits]) {
    if (edit.kind !== 'table') continue;
    for (const { index } of edit.operands) {
      for (const shape of shapesOfTable(view, node.input![index]!)) {
        const whole = wholeShape(shape, tags, oracle);
        if (whole) edits.set(shape, whole);
      }
    }
  }
  return { view, tags, edits };
}

/** A table is computed for the whole image, so what it knows of a size is the whole image's. */
function wholeShape(
  node: NodeProto,
  tags: ReadonlyMap<string, Tag>,
  oracle: Oracle,
): Edit | undefined {
  const name = node.input![0]!;
  const tag = tags.get(name);
  if (!tag) return undefined;
  if (tag.kind === 'groups' || tag.key || tag.text || node.op_type !== 'Shape') {
    return refuse(
      node,
      'a table with a value for every row is computed from a size that is not of the image alone',
      'compute it from the size of the latent',
    );
  }
  return { kind: 'shape', tag, dims: oracle.shapes.get(name)! };
}

function caseOf(
  node: NodeProto,
  view: GraphView,
  oracle: Oracle,
  opset: number,
  tags: ReadonlyMap<string, Tag>,
): Case {
  const refuseHere = (reason: string, remedy = 'run this model on one device'): never =>
    refuse(node, reason, remedy);
  const shapeOf = (name: string): readonly number[] => {
    const dims = oracle.shapes.get(name);
    if (!dims || dims.includes(-1)) {
      return refuseHere(
        `the shape of "${name}" depends on values`,
        'export with plain shape arithmetic',
      );
    }
    return dims;
  };
  return {
    node,
    view,
    oracle,
    opset,
    refuse: refuseHere,
    tagOf: (name) => tags.get(name),
    rows: (index): RowTag | undefined => {
      const tag = tags.get(node.input?.[index] ?? '');
      if (tag?.kind === 'groups') {
        return refuseHere('it stands between the reshapes of a group normalisation');
      }
      return tag;
    },
    shape: (index) => shapeOf(node.input![index]!),
    outShape: (index = 0) => shapeOf(node.output![index]!),
    constant: (index) => oracle.constants.get(node.input![index]!)?.values,
  };
}

/**
 * Checks every tag against shapes at another height: a tagged axis must grow with the rows and no other axis may; what
 * meets rows as a plain value must not depend on the height.
 *
 * @param heights Of the latent, in both.
 * @throws PcppError `E_GRAPH`
 */
export function checkTags(
  found: Propagation,
  low: Oracle,
  high: Oracle,
  [lowHeight, highHeight]: readonly [low: number, high: number],
): void {
  const scaled = (dim: number, text: TextTokens | undefined): number => {
    const tokens = text?.tokens ?? 0;
    return ((dim - tokens) * highHeight) / lowHeight + tokens;
  };
  for (const node of found.view.nodes) {
    for (const name of node.output ?? []) {
      const tag = found.tags.get(name);
      const before = low.shapes.get(name);
      const after = high.shapes.get(name);
      if (tag?.kind !== 'rows' || !before || !after) continue;
      const grown = (dim: number, axis: number): number => {
        if (axis === tag.axis) return scaled(dim, tag.text);
        return axis === tag.key?.axis ? scaled(dim, tag.key.text) : dim;
      };
      const matches = before.every((dim, axis) => after[axis] === grown(dim, axis));
      if (!matches) {
        refuse(
          node,
          `its size does not grow with the rows alone: [${before}] becomes [${after}]`,
          'run this model on one device',
        );
      }
    }
    checkTables(node, found, high, (rows) => scaled(rows, undefined));
    checkValues(node, found, low, high);
  }
}

/** A table that was no longer than the image while probing may be one for that height alone. */
function checkTables(
  node: NodeProto,
  found: Propagation,
  high: Oracle,
  grown: (rows: number) => number,
): void {
  const edit = found.edits.get(node);
  if (edit?.kind !== 'table') return;
  for (const { index, axis } of edit.operands) {
    const positions = high.shapes.get(node.input![index]!)?.[axis];
    if (positions === grown(edit.rows) * edit.inner) continue;
    refuse(
      node,
      `operand ${index} has ${positions} values for ${grown(edit.rows)} rows of ${edit.inner}`,
      'export it for a height that its table reaches, or with the height fixed',
    );
  }
}

/** Edits that put something else in the place of what a node reads besides its rows. */
const rewritten: ReadonlySet<Edit['kind'] | undefined> = new Set([
  'reshape',
  'resize',
  'expand',
  'table',
  'part',
] as const);

function checkValues(node: NodeProto, found: Propagation, low: Oracle, high: Oracle): void {
  if (rewritten.has(found.edits.get(node)?.kind)) return;
  const inputs = node.input ?? [];
  if (!inputs.some((name) => found.tags.has(name))) return;
  for (const name of inputs) {
    const before = low.constants.get(name)?.values;
    const after = high.constants.get(name)?.values;
    if (!before || !after || found.tags.has(name)) continue;
    // A sentinel for "the end" may differ in form, never in effect; slices of rows were refused before.
    if (node.op_type === 'Slice') continue;
    if (before.some((value, index) => value !== after[index])) {
      refuse(
        node,
        `its operand "${name}" is computed from the image height`,
        'run this model on one device',
      );
    }
  }
}
