import test from 'ava';
import {
  type BorderRule,
  layersOf,
  periodAt,
  planPeriods,
} from '../../../pcpp/partition/border-rules.js';
import { needOf } from '../../../pcpp/partition/needs.js';
import type { PlanOptions } from '../../../pcpp/partition/plan.js';
import type { GraphSites } from '../../../pcpp/rewrite/sites.js';
import { exampleSites } from '../../helpers/example-sites.js';

const attention = exampleSites.borders.find((site) => site.kind === 'attention')!;
/** The example's attention twice, once for each of two layers. */
const sites: GraphSites = {
  ...exampleSites,
  borders: ['down', 'up'].map((layer, id) => ({ ...attention, id, layers: [layer] })),
};
const options: PlanOptions = { height: 64, width: 8, batch: 2, patches: 2, mode: 'pcpp' };
const steps = { warmupSteps: 2, evaluations: 20 };

/** Share of the upper patch's tokens that the lower one reads, by site, in each period. */
function shares(rules: readonly BorderRule[], change: Partial<PlanOptions> = {}) {
  const all = { ...options, borderCut: 'tokens', ...change } as const;
  return planPeriods(sites, all, steps, rules).map(({ from, plan }) => [
    from,
    ...sites.borders.map((site) => {
      const [part] = needOf(plan, site, 1).before.parts;
      const tokens = site.inner * ((32 * site.level.times) / site.level.over);
      return part ? (part.span[1] - part.span[0]) / tokens : 0;
    }),
  ]);
}

test('without rules there is one plan, from the first displaced step on', (t) => {
  t.deepEqual(shares([], { borderFraction: 0.5 }), [[2, 0.5, 0.5]]);
});

test('the last rule that holds is taken, by layer and by step', (t) => {
  const rules: readonly BorderRule[] = [
    { borderFraction: 0.25 },
    { borderFraction: 0.5, layers: 'up' },
    { borderFraction: 1, layers: 'down', steps: [10, 15] },
    { borderFraction: 0, steps: [12, 30] },
  ];
  t.deepEqual(shares(rules), [
    [2, 0.25, 0.5],
    [10, 1, 0.5],
    [12, 0, 0],
  ]);
});

test('what the last whole-image step has cut is read by one plan', (t) => {
  const rules: readonly BorderRule[] = [{ borderFraction: 0.5, steps: [3, 20] }];
  t.deepEqual(shares(rules), [
    [2, 0.25, 0.25].map((share, index) => (index === 0 ? share : shares([])[0]![index]!)),
    [3, 0.5, 0.5],
  ]);
  t.deepEqual(
    shares(rules, { age: 2 }).map(([from]) => from),
    [2, 4],
  );
});

test('rules of steps that are whole-image ones, or that change nothing, make no period', (t) => {
  const rule = { borderFraction: 0.5 };
  t.is(shares([{ ...rule, steps: [0, 20] }]).length, 1);
  t.is(shares([{ borderFraction: 0.3, steps: [5, 9] }]).length, 1);
  t.deepEqual(shares([{ ...rule, steps: [0, 2] }]), shares([]));
});

test('in distrifusion mode everything is read, whatever the rules', (t) => {
  t.deepEqual(shares([{ borderFraction: 0.5 }], { mode: 'distrifusion' }), [[2, 1, 1]]);
});

test('a layer that is not there is named, and so are those that are', (t) => {
  const rules: readonly BorderRule[] = [{ borderFraction: 0.5, layers: 'middle' }];
  const error = t.throws(() => planPeriods(sites, options, steps, rules));
  t.like(error, { code: 'E_OPTION' });
  t.true(error.message.includes('"middle"') && error.message.includes(attention.nodes[0]!));
});

test('layers are those that rules name, each once', (t) => {
  const rule = { borderFraction: 1 };
  const named = ['up', undefined, 'down', 'up'].map((layers) =>
    layers ? { ...rule, layers } : rule,
  );
  t.deepEqual(layersOf(named), ['up', 'down']);
});

test('a step before the first period is of the first', (t) => {
  const periods = [{ from: 4 }, { from: 9 }];
  t.deepEqual(
    [0, 4, 8, 9, 99].map((step) => periodAt(periods, step).from),
    [4, 4, 4, 9, 9],
  );
});
