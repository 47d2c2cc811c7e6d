import test from 'ava';
import { groupNormTerms, momentsOfRows, wholeTerms } from '../../../pcpp/engine/group-norm.js';
import { momentsLength } from '../../../pcpp/partition/manifest.js';
import { type GroupNormMode, planPatches } from '../../../pcpp/partition/plan.js';
import { exampleSites } from '../../helpers/example-sites.js';
import { maxAbsDifference } from '../../helpers/golden.js';
import { noise } from '../../helpers/small-graph.js';

const plan = (groupNorm: GroupNormMode) =>
  planPatches(exampleSites, {
    height: 64,
    width: 8,
    batch: 2,
    patches: [3, 1],
    mode: 'pcpp',
    groupNorm,
  });

const length = momentsLength(plan('local'));
const stale = [noise([length], 1).data, noise([length], 2).data];
const own = noise([length], 3).data;

/** What the graph makes of the terms. */
const used = (mode: GroupNormMode, patch: number): Float32Array => {
  const { a, b } = groupNormTerms(plan(mode), patch, stale);
  return own.map((value, index) => a * value + b[index]!);
};

test('corrected: the stale mean over all rows plus the own change', (t) => {
  const expected = own.map(
    (m, k) => 0.75 * stale[0]![k]! + 0.25 * stale[1]![k]! + m - stale[0]![k]!,
  );
  t.true(maxAbsDifference(used('corrected', 0), expected) < 1e-6);
});

test('damped: the stale mean plus less of the own change, the smaller the own share', (t) => {
  for (const [patch, weight] of [
    [0, 1 - 0.25 ** 2 / 2],
    [1, 1 - 0.75 ** 2 / 2],
  ] as const) {
    const expected = own.map(
      (m, k) => 0.75 * stale[0]![k]! + 0.25 * stale[1]![k]! + weight * (m - stale[patch]![k]!),
    );
    t.true(maxAbsDifference(used('damped', patch), expected) < 1e-6);
  }
});

test('stale: fresh own moments and stale ones of the others, by rows', (t) => {
  const expected = own.map((m, k) => 0.75 * m + 0.25 * stale[1]![k]!);
  t.true(maxAbsDifference(used('stale', 0), expected) < 1e-6);
});

test('local: own moments as they are', (t) => {
  t.deepEqual(used('local', 1), own);
});

test('with moments that did not change, all but local are the exact mean over the image', (t) => {
  const exact = stale[0]!.map((m, k) => 0.75 * m + 0.25 * stale[1]![k]!);
  for (const mode of ['damped', 'corrected', 'stale'] as const) {
    for (const patch of [0, 1]) {
      const { a, b } = groupNormTerms(plan(mode), patch, stale);
      const got = stale[patch]!.map((value, k) => a * value + b[k]!);
      t.true(maxAbsDifference(got, exact) < 1e-6);
    }
  }
});

test('a whole-image run uses its own moments', (t) => {
  const { a, b } = wholeTerms(plan('corrected'));
  t.is(a, 1);
  t.true(b.every((value) => value === 0));
});

test('moments of a patch are means over its rows at every level', (t) => {
  // Both moments of 2 x 4 groups with 64 rows, then of 2 x 8 groups with 8 rows: each row holds its own number.
  const rows = [...Array(2 * 8).keys()].flatMap(() => [...Array(64).keys()]);
  const deep = [...Array(2 * 16).keys()].flatMap(() => [...Array(8).keys()]);
  const moments = momentsOfRows(plan('local'), Float32Array.from([...rows, ...deep]), 64, 16, 32);
  t.is(moments.length, length);
  t.true(moments.subarray(0, 16).every((value) => value === 23.5));
  t.true(moments.subarray(16).every((value) => value === 2.5));
});
