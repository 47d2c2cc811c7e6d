import test from 'ava';
import fc from 'fast-check';
import { PcppError, type PcppErrorCode } from '../../../pcpp/errors.js';
import { type PlanOptions, planPatches } from '../../../pcpp/partition/plan.js';
import { exampleSites } from '../../helpers/example-sites.js';

const options: PlanOptions = { height: 64, width: 8, batch: 2, patches: 2, mode: 'pcpp' };

test('equal patches, and the defaults of the paper', (t) => {
  const plan = planPatches(exampleSites, options);
  t.deepEqual(plan.bounds, [0, 32, 64]);
  t.is(plan.borderFraction, 0.3);
  t.is(plan.groupNorm, 'corrected');
});

test('rows that do not divide evenly are shared in whole units', (t) => {
  t.deepEqual(planPatches(exampleSites, { ...options, patches: 3 }).bounds, [0, 24, 40, 64]);
});

test('weights are proportions, and rows themselves are kept exactly', (t) => {
  const bounds = (patches: readonly number[]) =>
    planPatches(exampleSites, { ...options, patches }).bounds;
  t.deepEqual(bounds([16, 40, 8]), [0, 16, 56, 64]);
  t.deepEqual(bounds([3, 1]), [0, 48, 64]);
  t.deepEqual(bounds([1000, 1, 1]), [0, 48, 56, 64]);
});

test('every patch has whole units, at least one, and together they are the image', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 8 }),
      (units, weights) => {
        fc.pre(weights.length <= units);
        const height = 8 * units;
        const { bounds } = planPatches(exampleSites, { ...options, height, patches: weights });
        t.is(bounds[0], 0);
        t.is(bounds.at(-1), height);
        for (const [index, to] of bounds.slice(1).entries()) {
          const rows = to - bounds[index]!;
          t.true(rows >= 8 && rows % 8 === 0, `[${bounds}]`);
        }
      },
    ),
    { seed: 1 },
  );
});

test('a plan survives JSON, and equal plans have equal hashes', (t) => {
  const plan = planPatches(exampleSites, options);
  t.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
  t.is(planPatches(exampleSites, options).hash, plan.hash);
  t.not(planPatches(exampleSites, { ...options, borderFraction: 0.31 }).hash, plan.hash);
});

const refusals: readonly [
  what: string,
  change: Partial<PlanOptions>,
  code: PcppErrorCode,
  text: RegExp,
][] = [
  ['a height between levels', { height: 60 }, 'E_SIZE', /60.*multiple of 8.*56 or 64/],
  ['a height below one unit', { height: 4 }, 'E_SIZE', /nearest that work: 8/],
  ['another width', { width: 16 }, 'E_SIZE', /width 8 and batch 2, not 16 and 2/],
  ['another batch', { batch: 1 }, 'E_SIZE', /not 8 and 1/],
  ['more patches than units', { patches: 9 }, 'E_PARTITION', /9 patches.*only 8 units.*at most 8/],
  ['a fraction above 1', { borderFraction: 1.01 }, 'E_OPTION', /1\.01/],
  ['a negative fraction', { borderFraction: -0.1 }, 'E_OPTION', /-0\.1/],
  ['no patches', { patches: 0 }, 'E_OPTION', /weights above 0/],
  ['a weight of zero', { patches: [1, 0] }, 'E_OPTION', /weights above 0/],
];

for (const [what, change, code, text] of refusals) {
  test(`refuses ${what}`, (t) => {
    const error = t.throws(() => planPatches(exampleSites, { ...options, ...change }), {
      instanceOf: PcppError,
    });
    t.is(error.code, code);
    t.regex(error.message, text);
  });
}
