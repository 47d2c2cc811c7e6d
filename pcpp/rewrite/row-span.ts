// Before: Add(x, table) with a value for every row of the image;  Slice(joined, [0, L]) along image and text
// After:  Add(x, Slice(table, own rows));  Slice(joined, [0, own tokens])
//
// Which rows of which image a patch is, for what depends on it; read from one input of the graph.

import type { GraphBuilder } from '../onnx/builder.js';
import { intOf } from '../onnx/graph.js';
import type { NodeProto } from '../onnx/messages.js';
import type { Edit } from './rule.js';
import { rowSpan } from './site-ports.js';
import { levelOf } from './sites.js';

type PartEdit = Extract<Edit, { kind: 'part' }>;
type ShapeEdit = Extract<Edit, { kind: 'shape' }>;

/** Rows of a level while probing, and positions per row on some axis. */
interface Grid {
  readonly rows: number;
  readonly inner: number;
}

const end = 2 ** 62;

export class RowSpan {
  readonly #builder: GraphBuilder;
  /** Latent rows while probing. */
  readonly #height: number;
  /** What is computed already, by what it is. */
  readonly #known = new Map<string, string>();

  constructor(builder: GraphBuilder, height: number) {
    this.#builder = builder;
    this.#height = height;
  }

  /** The own rows of a table. @returns Their name. */
  tableRows(table: string, axis: number, grid: Grid): string {
    return this.#once(`table ${table} ${axis} ${grid.rows} ${grid.inner}`, () =>
      this.#builder.slice(table, this.#position(0, grid), this.#position(1, grid), axis),
    );
  }

  /** The image's or the text's part of an axis that both share. @returns Its name. */
  part(
    value: string,
    { axis, text, ...grid }: Pick<PartEdit, 'axis' | 'inner' | 'rows' | 'text'>,
    part: PartEdit['parts'][number],
    output?: string,
  ): string {
    const builder = this.#builder;
    const own = this.#ownPositions(grid);
    const isFirst = (part === 'image') === (text === 'after');
    // Behind a text whose length nobody knows, the image is the last so many tokens.
    const cut =
      text === 'after'
        ? own
        : this.#once(`-own ${grid.rows} ${grid.inner}`, () => builder.op('Neg', [own]));
    const bounds = isFirst ? [builder.int64([0]), cut] : [cut, builder.int64([end])];
    return builder.op('Slice', [value, ...bounds, builder.int64([axis])], {}, output);
  }

  /** In the place of a Shape node: what it would give in the whole image. */
  shape({ tag, dims }: ShapeEdit, node: NodeProto): void {
    const builder = this.#builder;
    const from = wrapped(intOf(node, 'start', 0), dims.length);
    const to = wrapped(intOf(node, 'end', dims.length), dims.length);
    const [before, after] = [dims.slice(from, tag.axis), dims.slice(tag.axis + 1, to)];
    const hasRows = from <= tag.axis && tag.axis < to;
    const parts = hasRows
      ? [
          ...(before.length > 0 ? [builder.int64(before)] : []),
          this.#position(2, tag),
          ...(after.length > 0 ? [builder.int64(after)] : []),
        ]
      : [builder.int64(dims.slice(from, to))];
    builder.concat(parts, 0, node.output![0]!);
  }

  #ownPositions(grid: Grid): string {
    return this.#once(`own ${grid.rows} ${grid.inner}`, () =>
      this.#builder.op('Sub', [this.#position(1, grid), this.#position(0, grid)]),
    );
  }

  /** An entry of the input in positions of a level: [1] int64. */
  #position(entry: 0 | 1 | 2, { rows, inner }: Grid): string {
    const builder = this.#builder;
    const { times, over } = levelOf(rows, this.#height);
    return this.#once(`${entry} ${times * inner} ${over}`, () => {
      const latentRows = builder.slice(
        rowSpan,
        builder.int64([entry]),
        builder.int64([entry + 1]),
        0,
      );
      const grown =
        times * inner === 1
          ? latentRows
          : builder.op('Mul', [latentRows, builder.int64([times * inner])]);
      return over === 1 ? grown : builder.op('Div', [grown, builder.int64([over])]);
    });
  }

  #once(key: string, make: () => string): string {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#known.set(key, made);
    return made;
  }
}

const wrapped = (index: number, rank: number): number => (index < 0 ? index + rank : index);
