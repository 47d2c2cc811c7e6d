// Before: Op(x)
// After:  Op(Concat(before, x, after)); Slice(x) twice, flat, into borders_out

import { type AttributeProto, elementTypes, type NodeProto } from '../onnx/messages.js';
import { type Emission, isFreshEdit } from './emission.js';
import type { Edit } from './rule.js';
import { levelOf } from './sites.js';
import { product, type RowTag } from './tags.js';

/** Zero padding of rows comes from the host: columns keep theirs. */
export function withRowPads(node: NodeProto, pads: readonly number[]): AttributeProto[] {
  const others = (node.attribute ?? []).filter(
    (entry) => entry.name !== 'pads' && entry.name !== 'auto_pad',
  );
  return [...others, { name: 'pads', type: 7, ints: [0, pads[1]!, 0, pads[3]!] }];
}

/** Registers a border site at one operand and returns the operand with its borders joined on. */
export function joinBorders(
  emission: Emission,
  node: NodeProto,
  operand: number,
  value: string,
  edit: Edit,
): string {
  const { builder, oracle, found, height } = emission;
  const name = node.input![operand]!;
  const dims = oracle.shapes.get(name)!;
  const tag = found.tags.get(name) as RowTag;
  const type = oracle.types.get(name)!;
  const id = emission.borders.length;
  const common = {
    id,
    node: `${node.name || node.output![0]}${edit.kind === 'attention' ? `:${operand}` : ''}`,
    level: levelOf(tag.rows, height),
    outer: product(dims.slice(0, tag.axis)),
    inner: tag.inner,
    rowSize: tag.inner * product(dims.slice(tag.axis + 1)),
  };
  if (edit.kind === 'conv') {
    const outTag = found.tags.get(node.output![0]!) as RowTag;
    emission.borders.push({
      ...common,
      kind: 'conv',
      outLevel: levelOf(outTag.rows, height),
      kernel: edit.kernel,
      stride: edit.stride,
      dilation: edit.dilation,
      padTop: edit.pads[0],
      padBottom: edit.pads[2],
      fresh: edit.fresh,
    });
  } else emission.borders.push({ ...common, kind: 'attention' });
  const open = dims.map((dim, axis) => (axis === tag.axis ? -1 : dim));
  const [before, after] = [2 * id, 2 * id + 1].map((block) =>
    builder.casted(builder.reshape(emission.blocks[block]!, open), elementTypes.float32, type),
  );
  if (!isFreshEdit(edit)) publish(emission, value, tag.axis, type);
  return builder.concat([before!, value, after!], tag.axis);
}

function publish(emission: Emission, value: string, axis: number, type: number): void {
  const { builder, cuts, published } = emission;
  const first = 2 * published.length;
  for (const offset of [0, 2]) {
    const cut = builder.slice(value, cuts[first + offset]!, cuts[first + offset + 1]!, axis);
    published.push(builder.casted(builder.reshape(cut, [-1]), type, elementTypes.float32));
  }
}
