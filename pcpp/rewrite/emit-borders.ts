// Before: Op(x)
// After:  Op(Concat(before, x, after)); what others need of x leaves by the site's outlet
//
// Before: Attention(q, K(x), V(x))
// After:  Attention(q, K(y), V(y)) with y = Concat(before, x, after)

import { type AttributeProto, elementTypes, type NodeProto } from '../onnx/messages.js';
import type { BorderPort, Emission } from './emission.js';
import type { Joint } from './joints.js';
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
  const { dims, tag, type, joint } = member;
  if (picks) {
    const size = (joint ? 1 : tag.inner) * product(dims.slice(tag.axis + 1));
    const picked = builder.op('Gather', [builder.reshape(value, [-1, size]), picks]);
    const wide = builder.casted(picked, type, elementTypes.float32);
    published.set(member, builder.reshape(wide, [-1]));
  }
  const open = dims.map((dim, axis) => (axis === tag.axis ? -1 : dim));
  const [above, below] = [before, after].map((block) =>
    builder.casted(builder.reshape(block, open), elementTypes.float32, type),
  ) as [string, string];
  return builder.concat([above, value, below], tag.axis);
}

/**
 * Joins borders to what keys and values are made of, and makes them of that: copies of the steps between, because own
 * queries, or others, may read what they make of own rows.
 */
export function joinAttention(emission: Emission, port: BorderPort, joint: Joint): void {
  const { builder, found, renamed } = emission;
  const own = renamed.get(joint.value) ?? joint.value;
  const joined = new Map([[joint.value, joinBorders(emission, port, own)]]);
  for (const node of found.view.nodes.filter((entry) => joint.path.has(entry))) {
    const inputs = node.input!.map((name) => joined.get(name) ?? renamed.get(name) ?? name);
    const edit = found.edits.get(node);
    if (edit?.kind === 'reshape') {
      joined.set(node.output![0]!, builder.reshape(inputs[0]!, edit.shape));
      continue;
    }
    const output = node.output!.map((name) => name && builder.name('joined'));
    builder.nodes.push({ ...node, name: builder.name('joining'), input: inputs, output });
    for (const [index, name] of node.output!.entries()) joined.set(name, output[index]!);
  }
  for (const { node, index } of joint.operands) {
    const replaced = emission.operands.get(node) ?? new Map<number, string>();
    emission.operands.set(node, replaced.set(index, joined.get(node.input![index]!)!));
  }
}
