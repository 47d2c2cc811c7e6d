/**
 * Row tags: which axis of a tensor runs over image rows. They start at `sample` and spread operator by operator, so
 * nothing is recognised by node names, weight shapes or subgraph patterns.
 */

/** Tokens on the row axis that are none of the image: a prompt's, in joint attention. Every patch has all of them. */
export interface TextTokens {
  readonly side: 'before' | 'after';
  /** Their number while probing. */
  readonly tokens: number;
}

export interface RowTag {
  readonly kind: 'rows';
  /** dims[axis] = rows * inner, and the tokens of `text` besides. */
  readonly axis: number;
  /** Positions per image row on this axis: 1 in [N, C, H, W], W for tokens. */
  readonly inner: number;
  /** Image rows at this level, at the height the graph was probed with. */
  readonly rows: number;
  /** The axis of attention scores that runs over keys: it also counts the border tokens of other patches. */
  readonly key?: { readonly axis: number; readonly inner: number; readonly text?: TextTokens };
  /** What lies beside the image's tokens. */
  readonly text?: TextTokens;
  /** The tensor is the latent itself, untouched since `sample`. */
  readonly raw?: true;
}

/** An [N, C, H, W] or [N, C, H * W] tensor seen as [N, groups, C / groups * H * W]: group normalisation on its way. */
export interface GroupTag {
  readonly kind: 'groups';
  /** The value with the rows. */
  readonly source: string;
  /** [N, C, H, W] or [N, C, H * W] of `source`. */
  readonly dims: readonly number[];
  /** W. */
  readonly width: number;
  readonly rows: number;
}

export type Tag = RowTag | GroupTag;

export const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

export const sameDims = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, index) => dim === b[index]);

/**
 * Where a run of rows lies after a reshape from `from` to `to`.
 *
 * The row stride must stay whole (`inner` times what follows the axis is a multiple of what follows the new axis) and as
 * many elements must precede it as before. An axis with text beside the rows stays whole.
 *
 * @returns undefined if no single axis of `to` runs over the rows.
 */
export function reshapeAxis(
  from: readonly number[],
  to: readonly number[],
  run: Pick<RowTag, 'axis' | 'inner' | 'rows' | 'text'>,
): { readonly axis: number; readonly inner: number } | undefined {
  if (run.text) return keptAxis(from, to, run);
  const rowStride = run.inner * product(from.slice(run.axis + 1));
  const before = product(from.slice(0, run.axis));
  for (let axis = 0; axis < to.length; axis++) {
    const stride = product(to.slice(axis + 1));
    const inner = rowStride / stride;
    const fits = Number.isInteger(inner) && to[axis] === run.rows * inner;
    if (fits && product(to.slice(0, axis)) === before) return { axis, inner };
  }
  return undefined;
}

function keptAxis(
  from: readonly number[],
  to: readonly number[],
  { axis, inner }: { readonly axis: number; readonly inner: number },
): { readonly axis: number; readonly inner: number } | undefined {
  const before = product(from.slice(0, axis));
  const found = to.findIndex(
    (size, index) => size === from[axis] && product(to.slice(0, index)) === before,
  );
  return found < 0 ? undefined : { axis: found, inner };
}

/** Axis `axis` of a tensor of `rank`, negative ones counted from the end. */
export const wrapAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** The tag with its axes moved, and no longer the bare latent. */
export function moveAxes(tag: RowTag, move: (axis: number) => number): RowTag {
  return {
    kind: 'rows',
    axis: move(tag.axis),
    inner: tag.inner,
    rows: tag.rows,
    ...(tag.key ? { key: { ...tag.key, axis: move(tag.key.axis) } } : {}),
    ...(tag.text ? { text: tag.text } : {}),
  };
}

/** Whether two tensors have the same rows on the same axis, and the same beside them. */
export const sameRows = (a: RowTag, b: RowTag): boolean =>
  a.axis === b.axis &&
  a.inner === b.inner &&
  a.rows === b.rows &&
  a.text?.side === b.text?.side &&
  a.text?.tokens === b.text?.tokens;
