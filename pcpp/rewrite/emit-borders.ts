// Before: Op(x)
// After:  Op(Concat(before, x, after)); what others need of x leaves by the site's outlet
//
// Before: Op(f(norm(x)))
// After:  Op(Concat(f(norm(before)), f(norm(x)), f(norm(after)))), in graphs of stages
//
// Before: Attention(q, K(x), V(x))
// After:  Attention(q, K(y), V(y)) with y = Concat(before, x, after)

import { type AttributeProto, elementTypes, type NodeProto } from '../onnx/messages.js';
import type { BorderPort, Emission } from './emission.js';
import type { Joint } from './joints.js';
import type { NormJoint } from './norm-joints.js';
import { product } from './tags.js';

/** Zero padding of rows comes from the host: columns keep theirs. */
export function withRowPads(node: NodeProto, pads: readonly number[]): AttributeProto[] {
  const others = (node.attribute ?? []).filter(
    (entry) => entry.name !== 'pads' && entry.name !== 'auto_pad',
  );
  return [...others, { name: 'pads', type: 7, ints: [0, pads[1]!, 0, pads[3]!] }];
}

/** @returns `value` with its borders joined on; a text beside the image stays on its side of all tokens. */
export function joinBorders(emission: Emission, port: BorderPort, value: string): string {
  const { axis, inner, rows, text } = port.member.tag;
  const { builder, span } = emission;
  if (text) {
    const [image, words] = (['image', 'text'] as const).map((part) =>
      span.part(value, { axis, inner, rows, text: text.side }, part),
    ) as [string, string];
    publish(emission, port, image);
    const [above, below] = blocksOf(emission, port);
    const joined = [above, image, below];
    return builder.concat(text.side === 'before' ? [words, ...joined] : [...joined, words], axis);
  }
  publish(emission, port, value);
  const [above, below] = blocksOf(emission, port);
  return builder.concat([above, value, below], axis);
}

/**
 * The blocks are of what is normalised: they become what the convolution reads on the same way as the own rows.
 *
 * @param value The convolution's input.
 */
export function joinNormalized(
  emission: Emission,
  port: BorderPort,
  joint: NormJoint,
  value: string,
): string {
  const { builder, found, renamed, norms } = emission;
  const { member, masks } = port;
  publish(emission, port, renamed.get(joint.source) ?? joint.source);
  const [above, below] = blocksOf(emission, port).map((block, side) => {
    const normalized = norms.get(joint.norm)!.normalize(block);
    const made = new Map([[joint.normalized, normalized]]);
    for (const node of found.view.nodes.filter((entry) => joint.path.has(entry))) {
      copyNode(emission, node, made);
    }
    // Outside the image there are zeros, whatever the normalisation makes of them.
    const mask = builder.reshape(masks![side]!, [1, 1, -1, 1]);
    const cast = builder.casted(mask, elementTypes.float32, member.type);
    return builder.op('Mul', [made.get(member.node.input![0]!)!, cast]);
  }) as [string, string];
  return builder.concat([above, value, below], 2);
}

function publish(
  { builder, published }: Emission,
  { member, picks }: BorderPort,
  value: string,
): void {
  if (!picks) return;
  const { dims, tag, type, joint } = member;
  const size = (joint ? 1 : tag.inner) * product(dims.slice(tag.axis + 1));
  const picked = builder.op('Gather', [builder.reshape(value, [-1, size]), picks]);
  const wide = builder.casted(picked, type, elementTypes.float32);
  published.set(member, builder.reshape(wide, [-1]));
}

/** In the shape and element type of the value that they are joined to, or made into. */
function blocksOf(
  { builder }: Emission,
  { member, before, after }: BorderPort,
): readonly [above: string, below: string] {
  const { dims, tag, type } = member;
  const open = dims.map((dim, axis) => (axis === tag.axis ? -1 : dim));
  const [above, below] = [before, after].map((block) =>
    builder.casted(builder.reshape(block, open), elementTypes.float32, type),
  ) as [string, string];
  return [above, below];
}

/** Writes `node` again, for inputs that were made anew. @param made By the model's name of a value its new one; added to. */
function copyNode(
  { builder, found, renamed }: Emission,
  node: NodeProto,
  made: Map<string, string>,
) {
  const inputs = node.input!.map((name) => made.get(name) ?? renamed.get(name) ?? name);
  const edit = found.edits.get(node);
  if (edit?.kind === 'reshape') {
    made.set(node.output![0]!, builder.reshape(inputs[0]!, edit.shape));
    return;
  }
  const output = node.output!.map((name) => name && builder.name('joined'));
  builder.nodes.push({ ...node, name: builder.name('joining'), input: inputs, output });
  for (const [index, name] of node.output!.entries()) made.set(name, output[index]!);
}

/**
 * Joins borders to what keys and values are made of, and makes them of that: copies of the steps between, because own
 * queries, or others, may read what they make of own rows.
 */
export function joinAttention(emission: Emission, port: BorderPort, joint: Joint): void {
  const { found, renamed } = emission;
  const own = renamed.get(joint.value) ?? joint.value;
  const joined = new Map([[joint.value, joinBorders(emission, port, own)]]);
  for (const node of found.view.nodes.filter((entry) => joint.path.has(entry))) {
    copyNode(emission, node, joined);
  }
  for (const { node, index } of joint.operands) {
    const replaced = emission.operands.get(node) ?? new Map<number, string>();
    emission.operands.set(node, replaced.set(index, joined.get(node.input![index]!)!));
  }
}
