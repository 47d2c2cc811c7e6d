// Before: Op(x)
// After:  Op(Concat(before, x, after)); the rows of x that others need leave by the site's outlet

import { type AttributeProto, elementTypes, type NodeProto } from '../onnx/messages.js';
import type { BorderPort, Emission } from './emission.js';
import { product } from './tags.js';

/** Zero padding of rows comes from the host: columns keep theirs. */
export function withRowPads(node: NodeProto, pads: readonly number[]): AttributeProto[] {
  const others = (node.attribute ?? []).filter(
    (entry) => entry.name !== 'pads' && entry.name !== 'auto_pad',
  );
  return [...others, { name: 'pads', type: 7, ints: [0, pads[1]!, 0, pads[3]!] }];
}

/** @returns `value` with its borders joined on. */
export function joinBorders(emission: Emission, port: BorderPort, value: string): string {
  const { builder, published } = emission;
  const { member, before, after, picks } = port;
  const { dims, tag, type } = member;
  if (picks) {
    const rowSize = tag.inner * product(dims.slice(tag.axis + 1));
    const picked = builder.op('Gather', [builder.reshape(value, [-1, rowSize]), picks]);
    const wide = builder.casted(picked, type, elementTypes.float32);
    published.set(member, builder.reshape(wide, [-1]));
  }
  const open = dims.map((dim, axis) => (axis === tag.axis ? -1 : dim));
  const [above, below] = [before, after].map((block) =>
    builder.casted(builder.reshape(block, open), elementTypes.float32, type),
  ) as [string, string];
  return builder.concat([above, value, below], tag.axis);
}
