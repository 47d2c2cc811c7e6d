/** Writes nodes: fresh names, shared integer constants, and the operators whose form depends on the operator set. */

import { type AttributeProto, elementTypes, type NodeProto, type TensorProto } from './messages.js';
import { floatTensor, int64Tensor } from './model.js';

export type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** All added names begin with this, so that they meet none of the model's. */
const prefix = 'pp_';

export class GraphBuilder {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #opset: number;
  readonly #constants = new Map<string, string>();
  #count = 0;

  constructor(opset: number) {
    this.#opset = opset;
  }

  name(hint: string): string {
    return `${prefix}${hint}_${this.#count++}`;
  }

  /** Adds a standard operator and returns its first output's name. */
  op(
    type: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    output?: string,
  ): string {
    const result = output ?? this.name(type.toLowerCase());
    this.nodes.push({
      name: this.name(`node_${type.toLowerCase()}`),
      op_type: type,
      domain: '',
      input: [...inputs],
      output: [result],
      attribute: attributesOf(attributes),
    });
    return result;
  }

  int64(values: readonly number[], dims?: readonly number[]): string {
    const key = `i ${values} ${dims}`;
    return this.#shared(key, (name) => int64Tensor(name, values, dims));
  }

  float(value: number): string {
    return this.#shared(`f ${value}`, (name) => floatTensor(name, [value], []));
  }

  floats(values: readonly number[]): string {
    return this.#shared(`fs ${values}`, (name) => floatTensor(name, values));
  }

  #shared(key: string, make: (name: string) => TensorProto): string {
    const known = this.#constants.get(key);
    if (known) return known;
    const name = this.name('const');
    this.#constants.set(key, name);
    this.initializers.push(make(name));
    return name;
  }

  reshape(value: string, shape: readonly number[], output?: string): string {
    return this.op('Reshape', [value, this.int64(shape)], {}, output);
  }

  concat(values: readonly string[], axis: number, output?: string): string {
    return this.op('Concat', values, { axis }, output);
  }

  cast(value: string, elementType: number, output?: string): string {
    return this.op('Cast', [value], { to: elementType }, output);
  }

  /** `value` as `elementType`, or itself if it is that already. */
  casted(value: string, from: number, to: number): string {
    return from === to ? value : this.cast(value, to);
  }

  /** Splits along axis 0 into parts whose lengths are a tensor of the run. */
  splitBy(value: string, lengths: string, count: number): string[] {
    const parts = Array.from({ length: count }, () => this.name('part'));
    this.nodes.push({
      name: this.name('node_split'),
      op_type: 'Split',
      domain: '',
      input: [value, lengths],
      output: parts,
      attribute: attributesOf({ axis: 0 }),
    });
    return parts;
  }

  /** Bounds are tensors of the run, [1] int64 each. */
  slice(value: string, start: string, end: string, axis: number): string {
    return this.op('Slice', [value, start, end, this.int64([axis])]);
  }

  /** @param inputs x [N, C, ...], then scale, bias, mean and variance, [C] each. */
  batchNormalization(inputs: readonly string[], epsilon: number): string {
    const result = this.op('BatchNormalization', inputs);
    this.nodes.at(-1)!.attribute = [{ name: 'epsilon', type: types.float, f: epsilon }];
    return result;
  }

  reduceMean(value: string, axes: readonly number[], keepdims = false): string {
    const keep = keepdims ? 1 : 0;
    // The axes became an input with operator set 18.
    return this.#opset >= 18
      ? this.op('ReduceMean', [value, this.int64(axes)], { keepdims: keep })
      : this.op('ReduceMean', [value], { axes, keepdims: keep });
  }
}

const types = { float: 1, int: 2, ints: 7 } as const;

/** Integer attributes, which is all we write. */
export const attributesOf = (attributes: Attributes): AttributeProto[] =>
  Object.entries(attributes).map(([name, value]) =>
    typeof value === 'number'
      ? { name, type: types.int, i: value }
      : { name, type: types.ints, ints: [...value] },
  );

export const isFloat = (elementType: number): boolean =>
  elementType === elementTypes.float32 || elementType === elementTypes.float16;
