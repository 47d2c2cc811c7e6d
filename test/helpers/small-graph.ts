/** Small graphs written by hand, with weights from a fixed sequence. */

import {
  type AttributeProto,
  elementTypes,
  encodeModel,
  type NodeProto,
  type TensorProto,
} from '../../pcpp/onnx/messages.js';
import { floatTensor, type OnnxModel, parseModel, portOf } from '../../pcpp/onnx/model.js';
import { sizeOf, type Tensor, tensor } from '../../pcpp/tensor.js';

export type AttributeValue = number | readonly number[] | string | { readonly float: number };

/** Roughly normal values; the same seed gives the same values everywhere. */
export function noise(dims: readonly number[], seed = 1): Tensor {
  let state = seed;
  const values = Float32Array.from({ length: sizeOf(dims) }, () => {
    let sum = 0;
    for (let draw = 0; draw < 6; draw++) {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      sum += state / 2 ** 31;
    }
    return (sum - 3) * Math.SQRT2;
  });
  return tensor(dims, values);
}

export const weight = (name: string, dims: readonly number[], seed = 7): TensorProto =>
  floatTensor(name, [...noise(dims, seed).data.map((value) => value / 3)], dims);

/** `op` may carry its domain in front: `com.microsoft:Attention`. */
export function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): NodeProto {
  const [domain, type] = op.includes(':') ? (op.split(':') as [string, string]) : ['', op];
  return {
    name: `${outputs[0]}-node`,
    op_type: type,
    domain,
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([name, value]) => attributeOf(name, value)),
  };
}

function attributeOf(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'number') return { name, type: 2, i: value };
  if (typeof value === 'string') return { name, type: 3, s: Buffer.from(value) };
  if ('float' in value) return { name, type: 1, f: value.float };
  return { name, type: 7, ints: [...value] };
}

export interface SmallGraph {
  readonly nodes: readonly NodeProto[];
  readonly initializers?: readonly TensorProto[];
  /** Of more inputs, float32, their axes; those of the latent are batch, height and width. @default none */
  readonly inputs?: Readonly<Record<string, readonly (number | string)[]>>;
  /** Rows of a latent of one size alone. @default any */
  readonly height?: number;
  /** @default 4 */
  readonly channels?: number;
  /** @default 17 */
  readonly opset?: number;
}

/** From `sample` [N, C, H, W] to `out_sample`, batch, height and width open. */
export function smallModel(graph: SmallGraph): OnnxModel {
  const dims = ['batch', graph.channels ?? 4, graph.height ?? 'height', 'width'];
  const elementType = elementTypes.float32;
  const bytes = encodeModel({
    ir_version: 10,
    opset_import: [
      { domain: '', version: graph.opset ?? 17 },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'small',
      node: [...graph.nodes],
      initializer: [...(graph.initializers ?? [])],
      input: [
        portOf({ name: 'sample', elementType, dims }),
        ...Object.entries(graph.inputs ?? {}).map(([name, axes]) =>
          portOf({ name, elementType, dims: axes }),
        ),
      ],
      output: [{ name: 'out_sample', type: { tensor_type: { elem_type: elementType } } }],
    },
  });
  return parseModel(bytes);
}
