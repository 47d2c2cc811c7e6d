/** Spreads row tags from `sample` through the graph and collects what has to change. */

import { type GraphView, viewOf } from '../onnx/graph.js';
import type { NodeProto } from '../onnx/messages.js';
import type { OnnxModel } from '../onnx/model.js';
import type { Oracle } from '../onnx/oracle.js';
import { operatorOf, refuse, refuseOperator } from './refusals.js';
import type { Case, Edit, Rule } from './rule.js';
import { rules } from './rules.js';
import type { RowTag, Tag } from './tags.js';

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
 * @param sample Name of the input that has rows: [N, C, H, W].
 * @throws PcppError `E_GRAPH` at the first node that cannot be split.
 */
export function propagate(model: OnnxModel, oracle: Oracle, sample: string): Propagation {
  const view = viewOf(model.graph);
  const tags = new Map<string, Tag>();
  const edits = new Map<NodeProto, Edit>();
  const height = oracle.shapes.get(sample)![2]!;
  tags.set(sample, { kind: 'rows', axis: 2, inner: 1, rows: height, raw: true });
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
  return { view, tags, edits };
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
 * @throws PcppError `E_GRAPH`
 */
export function checkTags(found: Propagation, low: Oracle, high: Oracle, factor: number): void {
  for (const node of found.view.nodes) {
    for (const name of node.output ?? []) {
      const tag = found.tags.get(name);
      const before = low.shapes.get(name);
      const after = high.shapes.get(name);
      if (tag?.kind !== 'rows' || !before || !after) continue;
      const grows = (axis: number): boolean => axis === tag.axis || axis === tag.key?.axis;
      const matches = before.every(
        (dim, axis) => after[axis] === (grows(axis) ? dim * factor : dim),
      );
      if (!matches) {
        refuse(
          node,
          `its size does not grow with the rows alone: [${before}] becomes [${after}]`,
          'run this model on one device',
        );
      }
    }
    checkValues(node, found, low, high);
  }
}

function checkValues(node: NodeProto, found: Propagation, low: Oracle, high: Oracle): void {
  if (found.edits.get(node)?.kind === 'reshape' || found.edits.get(node)?.kind === 'resize') return;
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
