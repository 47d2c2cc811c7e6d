/** Row tags through random chains of Reshape and Transpose, against the rows themselves. */

import test from 'ava';
import fc from 'fast-check';
import { moveAxes, product, type RowTag, reshapeAxis } from '../../../pcpp/rewrite/tags.js';

const rows = 7;

/** For every element of a tensor, the image row it belongs to. */
interface Labelled {
  readonly dims: readonly number[];
  readonly labels: readonly number[];
}

const strides = (dims: readonly number[]): number[] =>
  dims.map((_, axis) => product(dims.slice(axis + 1)));

function transposed({ dims, labels }: Labelled, order: readonly number[]): Labelled {
  const from = strides(dims);
  const to = order.map((axis) => dims[axis]!);
  const out = strides(to);
  const moved = labels.map((_, position) => {
    const source = order.reduce(
      (sum, axis, index) => sum + (Math.floor(position / out[index]!) % to[index]!) * from[axis]!,
      0,
    );
    return labels[source]!;
  });
  return { dims: to, labels: moved };
}

/** What the tag claims: an element's row is its index on the axis divided by `inner`. */
const claimed = (dims: readonly number[], tag: RowTag): number[] => {
  const stride = strides(dims)[tag.axis]!;
  return Array.from({ length: product(dims) }, (_, position) =>
    Math.floor((Math.floor(position / stride) % dims[tag.axis]!) / tag.inner),
  );
};

/** Whether any axis at all carries the rows, by trying every axis and every inner length. */
function bruteForce({ dims, labels }: Labelled): RowTag | undefined {
  for (const [axis, size] of dims.entries()) {
    if (size % rows !== 0) continue;
    const tag: RowTag = { kind: 'rows', axis, inner: size / rows, rows };
    if (claimed(dims, tag).every((row, position) => row === labels[position])) return tag;
  }
  return undefined;
}

/** A shape with the same number of elements: neighbours merged, one axis perhaps split. */
const reshapeOf = (dims: readonly number[], choices: readonly number[]): number[] => {
  const out = [...dims];
  for (const choice of choices) {
    const axis = choice % out.length;
    if (choice % 2 === 0 && axis + 1 < out.length) out.splice(axis, 2, out[axis]! * out[axis + 1]!);
    else {
      const divisors = [...Array(out[axis]!).keys()]
        .map((k) => k + 1)
        .filter((k) => out[axis]! % k === 0);
      const divisor = divisors[choice % divisors.length]!;
      out.splice(axis, 1, divisor, out[axis]! / divisor);
    }
  }
  return out;
};

const step = fc.oneof(
  fc.record({
    kind: fc.constant('reshape' as const),
    choices: fc.array(fc.nat(50), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('transpose' as const),
    keys: fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 }),
  }),
);

test('a tag says of every element which row it is in, and is given up only where no axis can', (t) => {
  fc.assert(
    fc.property(
      fc.tuple(
        fc.integer({ min: 1, max: 2 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
      ),
      fc.array(step, { maxLength: 5 }),
      ([n, c, w], steps) => {
        const first = [n, c, rows, w];
        let image: Labelled = {
          dims: first,
          labels: claimed(first, { kind: 'rows', axis: 2, inner: 1, rows }),
        };
        let tag: RowTag = { kind: 'rows', axis: 2, inner: 1, rows };
        for (const entry of steps) {
          if (entry.kind === 'transpose') {
            const order = image.dims
              .map((_, axis) => axis)
              .sort((a, b) => entry.keys[a]! - entry.keys[b]! || a - b);
            const moved = order;
            image = transposed(image, moved);
            tag = moveAxes(tag, (axis) => moved.indexOf(axis));
          } else {
            const to = reshapeOf(image.dims, entry.choices);
            if (to.length > 8) return;
            const run = reshapeAxis(image.dims, to, tag);
            image = { dims: to, labels: image.labels };
            if (!run) {
              t.is(bruteForce(image), undefined, `gave up on [${to}]`);
              return;
            }
            tag = { kind: 'rows', ...run, rows };
          }
          t.deepEqual(claimed(image.dims, tag), image.labels);
        }
      },
    ),
    { numRuns: 300, seed: 1 },
  );
  t.pass();
});
