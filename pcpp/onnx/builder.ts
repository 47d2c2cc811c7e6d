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
  /** Results of reshapes by what they reshape and to which shape. */
  readonly #reshaped = new Map<string, string>();
  /** What the result of a reshape reshapes. */
  readonly #unshaped = new Map<string, string>();
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

  /** A reshape of a reshape becomes one, and the same reshape of the same value is written once. */
  reshape(value: string, shape: readonly number[], output?: string): string {
    const source = shape.includes(0) ? value : (this.#unshaped.get(value) ?? value);
    const inputs = [source, this.int64(shape)];
    if (output !== undefined) return this.op('Reshape', inputs, {}, output);
    const key = `${source} ${shape}`;
    const result = this.#reshaped.get(key) ?? this.op('Reshape', inputs);
    this.#reshaped.set(key, result);
    this.#unshaped.set(result, source);
    return result;
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

  /** Splits into `count` parts, whose lengths may be a tensor of the run. */
  splitBy(value: string, lengths: string, count: number, axis = 0): string[] {
    const parts = Array.from({ length: count }, () => this.name('part'));
    this.nodes.push({
      name: this.name('node_split'),
      op_type: 'Split',
      domain: '',
      input: [value, lengths],
      output: parts,
      attribute: attributesOf({ axis }),
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
