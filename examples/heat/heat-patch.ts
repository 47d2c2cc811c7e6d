/** Rows of a metal plate: the 2-D heat equation, explicit in time, its rim held at fixed temperatures. */

import { neighboursOf, PatchActor, type PatchSettings } from '../../actors/index.js';

/** Share of the temperature difference that flows between two cells in a step; stable below 0.25. */
const conductivity = 0.2;

export interface Plate {
  readonly rows: number;
  readonly width: number;
}

/** A plate with a hot top edge and a warm spot, row by row. */
export function initialRows({ rows, width }: Plate, from: number, to: number): Float64Array {
  const cells = new Float64Array((to - from) * width);
  for (let row = from; row < to; row++) {
    for (let column = 0; column < width; column++) {
      const spot = Math.hypot(row - rows / 2, column - width / 3) < rows / 8;
      cells[(row - from) * width + column] = row === 0 ? 100 : spot ? 60 : 0;
    }
  }
  return cells;
}

/**
 * One time step on some rows.
 *
 * @param above The row above the first, or undefined where the plate ends; its rim does not change.
 */
export function heatStep(
  cells: Float64Array,
  width: number,
  above: Float64Array | undefined,
  below: Float64Array | undefined,
): Float64Array {
  const rows = cells.length / width;
  const next = cells.slice();
  for (let row = above ? 0 : 1; row < rows - (below ? 0 : 1); row++) {
    for (let column = 1; column < width - 1; column++) {
      const at = row * width + column;
      const up = row > 0 ? cells[at - width]! : above![column]!;
      const down = row < rows - 1 ? cells[at + width]! : below![column]!;
      const around = up + down + cells[at - 1]! + cells[at + 1]!;
      next[at] = cells[at]! + conductivity * (around - 4 * cells[at]!);
    }
  }
  return next;
}

export class HeatPatch extends PatchActor<Float64Array> {
  readonly #width: number;
  #cells: Float64Array;

  /** @param bounds Rows [from, to) of the plate that this patch owns. */
  constructor(
    settings: Pick<PatchSettings, 'patch' | 'patches' | 'age'>,
    plate: Plate,
    bounds: readonly [from: number, to: number],
  ) {
    super();
    this.begin({ ...settings, borderOf: 'input' });
    this.#width = plate.width;
    this.#cells = initialRows(plate, ...bounds);
  }

  rows(): Float64Array {
    return this.#cells;
  }

  protected override needs(): readonly number[] {
    return neighboursOf(this.settings.patch, this.settings.patches);
  }

  protected override readers(): readonly number[] {
    return neighboursOf(this.settings.patch, this.settings.patches);
  }

  protected override borderFor(to: number): Float64Array {
    return to < this.settings.patch
      ? this.#cells.slice(0, this.#width)
      : this.#cells.slice(-this.#width);
  }

  protected override advance(_step: number, borders: ReadonlyMap<number, Float64Array>): void {
    const { patch } = this.settings;
    const above = borders.get(patch - 1);
    const below = borders.get(patch + 1);
    this.#cells = heatStep(this.#cells, this.#width, above, below);
  }

  protected override checkpoint(): Float64Array {
    return this.#cells;
  }

  protected override restore(rows: unknown): void {
    this.#cells = rows as Float64Array;
  }
}
