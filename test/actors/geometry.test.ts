import test from 'ava';
import fc from 'fast-check';
import { buddyOf, neighboursOf, othersOf, splitRows } from '../../actors/index.js';

const splits = fc
  .record({
    patches: fc.integer({ min: 1, max: 12 }),
    spare: fc.nat(60),
    multiple: fc.integer({ min: 1, max: 8 }),
  })
  .chain(({ patches, spare, multiple }) =>
    fc.record({
      patches: fc.constant(patches),
      multiple: fc.constant(multiple),
      rows: fc.constant((patches + spare) * multiple),
      weights: fc.array(fc.integer({ min: 1, max: 20 }), {
        minLength: patches,
        maxLength: patches,
      }),
    }),
  );

test('any split covers all rows, in whole multiples, and leaves no patch empty', (t) => {
  fc.assert(
    fc.property(splits, ({ rows, patches, multiple, weights }) => {
      const bounds = splitRows(rows, patches, { multiple, weights });
      t.is(bounds.length, patches + 1);
      t.deepEqual([bounds[0], bounds.at(-1)], [0, rows]);
      for (let patch = 0; patch < patches; patch++) {
        t.true(bounds[patch + 1]! > bounds[patch]!);
        t.is(bounds[patch]! % multiple, 0);
      }
    }),
  );
});

test('equal shares differ by one multiple at most', (t) => {
  fc.assert(
    fc.property(splits, ({ rows, patches, multiple }) => {
      const bounds = splitRows(rows, patches, { multiple });
      const sizes = bounds.slice(1).map((to, patch) => (to - bounds[patch]!) / multiple);
      t.true(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }),
  );
});

test('weights are followed as closely as multiples allow', (t) => {
  t.deepEqual(splitRows(64, 2, { weights: [3, 1] }), [0, 48, 64]);
  t.deepEqual(splitRows(64, 2, { weights: [3, 1], multiple: 32 }), [0, 32, 64]);
  t.deepEqual(splitRows(10, 3, { weights: [1, 1_000, 1] }), [0, 1, 9, 10]);
});

test('what cannot be shared is an E_GEOMETRY', (t) => {
  const wrong = [
    () => splitRows(3, 4),
    () => splitRows(10, 2, { multiple: 4 }),
    () => splitRows(8, 2, { multiple: 8 }),
    () => splitRows(8, 0),
    () => splitRows(8, 2, { weights: [1] }),
    () => splitRows(8, 2, { weights: [0, 0] }),
    () => splitRows(8, 2, { weights: [1, Number.NaN] }),
    () => splitRows(8, 2, { weights: [2, -1] }),
    () => splitRows(8, 1.5),
    () => splitRows(8, 2, { multiple: 0 }),
  ];
  for (const split of wrong) t.throws(split, { code: 'E_GEOMETRY' });
});

test('neighbours are mutual and others are everybody else', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), (patches) => {
      for (let patch = 0; patch < patches; patch++) {
        for (const other of neighboursOf(patch, patches)) {
          t.is(Math.abs(other - patch), 1);
          t.true(neighboursOf(other, patches).includes(patch));
        }
        const buddy = buddyOf(patch, patches);
        t.is(buddy === undefined, patches === 1);
        if (buddy !== undefined) t.true(neighboursOf(patch, patches).includes(buddy));
        t.deepEqual(
          [...othersOf(patch, patches), patch].sort((a, b) => a - b),
          [...Array(patches).keys()],
        );
      }
    }),
  );
});
