import test from 'ava';
import fc from 'fast-check';
import { forecastBytes } from '../../../pcpp/partition/bytes.js';
import { inletsOf, manifestOf, outletsOf } from '../../../pcpp/partition/manifest.js';
import { needOf } from '../../../pcpp/partition/needs.js';
import {
  type PatchPlan,
  type PlanOptions,
  patchCount,
  planPatches,
} from '../../../pcpp/partition/plan.js';
import { borderBytes } from '../../../pcpp/partition/wire.js';
import { exampleSites } from '../../helpers/example-sites.js';

const plan = (change: Partial<PlanOptions> = {}): PatchPlan =>
  planPatches(exampleSites, {
    height: 96,
    width: 8,
    batch: 2,
    patches: 3,
    mode: 'pcpp',
    ...change,
  });

const rowsFor = (of: PatchPlan, from: number, to: number): string[] =>
  manifestOf(of, from, to).regions.map((region) =>
    region.kind === 'moments'
      ? 'moments'
      : `${region.kind === 'border' ? region.site : 'latent'} ${region.span}`,
  );

test('down: moments, the last latent row, last rows of every convolution, p of the tokens', (t) => {
  t.deepEqual(rowsFor(plan(), 0, 1), [
    'moments',
    'latent 31,32',
    '1 31,32',
    '2 31,32',
    '3 2,4',
    '4 2,4',
  ]);
});

test('up: no row for the convolution of stride 2, which reads none below', (t) => {
  t.deepEqual(rowsFor(plan(), 1, 0), ['moments', 'latent 32,33', '1 32,33', '3 4,6', '4 4,6']);
});

test('beyond the neighbour only moments; all keys and values in distrifusion mode', (t) => {
  t.deepEqual(rowsFor(plan(), 0, 2), ['moments']);
  t.deepEqual(rowsFor(plan({ mode: 'distrifusion' }), 0, 2), ['moments', '3 0,4', '4 0,4']);
});

test('no moments travel where normalisation is local, and no tokens at p = 0', (t) => {
  const of = plan({ groupNorm: 'local', borderFraction: 0 });
  t.deepEqual(rowsFor(of, 0, 1), ['latent 31,32', '1 31,32', '2 31,32']);
  t.is(borderBytes(of, 0, 2), 0);
});

test('a fraction of a neighbour is rounded up to whole rows, but 0.3 of 10 is 3', (t) => {
  const rows = (height: number, borderFraction: number): number => {
    const of = plan({ height: 2 * height, patches: 2, borderFraction });
    const [part] = needOf(of, exampleSites.borders[3]!, 0).after.parts;
    return part ? part.span[1] - part.span[0] : 0;
  };
  t.is(rows(80, 0.3), 3);
  t.is(rows(80, 0.31), 4);
  t.is(rows(8, 0.01), 1);
  t.is(rows(80, 1), 10);
});

test('two patches with p = 1 exchange what DistriFusion exchanges', (t) => {
  const whole = plan({ patches: 2, borderFraction: 1 });
  const distrifusion = plan({ patches: 2, mode: 'distrifusion' });
  t.deepEqual(manifestOf(whole, 0, 1), manifestOf(distrifusion, 0, 1));
  t.deepEqual(manifestOf(whole, 1, 0), manifestOf(distrifusion, 1, 0));
});

test('sizes by hand: moments, a latent row, one row of 32 planes', (t) => {
  const { regions, length } = manifestOf(plan(), 0, 1);
  t.deepEqual(
    regions.map((region) => region.length),
    [2 * 2 * (4 + 8), 4 * 8, 32 * 8, 32 * 8, 20 * 2, 4 * 2 * 5],
  );
  t.is(borderBytes(plan(), 0, 1), 4 * length);
});

const anyPlan = fc
  .record({
    units: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
    mode: fc.constantFrom('pcpp' as const, 'distrifusion' as const),
    borderFraction: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ units, ...rest }) =>
    plan({ ...rest, height: 8 * units.reduce((a, b) => a + b), patches: units }),
  );

test('what is sent is what is needed: every row of every inlet comes from one message', (t) => {
  fc.assert(
    fc.property(anyPlan, (of) => {
      for (let to = 0; to < patchCount(of); to++) {
        const received = new Map<string, number>();
        for (let from = 0; from < patchCount(of); from++) {
          if (from === to) continue;
          for (const region of manifestOf(of, from, to).regions) {
            if (region.kind !== 'border') continue;
            const key = `${region.site} ${from < to ? 'before' : 'after'}`;
            received.set(key, (received.get(key) ?? 0) + region.length);
          }
        }
        for (const { site, side, count, block } of inletsOf(of, to)) {
          if (site.id === 0) continue;
          const wanted = site.outer * (count - block.zeroRows) * site.size;
          t.is(received.get(`${site.id} ${side}`) ?? 0, wanted);
        }
      }
    }),
    { seed: 1 },
  );
});

test('every border region is one of the two published slices', (t) => {
  fc.assert(
    fc.property(anyPlan, (of) => {
      for (let from = 0; from < patchCount(of); from++) {
        const outlets = new Map(outletsOf(of, from).map((outlet) => [outlet.site.id, outlet]));
        for (let to = 0; to < patchCount(of); to++) {
          const regions = from === to ? [] : manifestOf(of, from, to).regions;
          for (const region of regions) {
            if (region.kind !== 'border') continue;
            const { up, down } = outlets.get(region.site)!;
            t.deepEqual(region.span, to < from || down[0] === down[1] ? up : down);
          }
        }
      }
    }),
    { seed: 1 },
  );
});

test('the forecast adds up messages and compares with DistriFusion', (t) => {
  const of = plan();
  const { sent, received, total, distrifusion, saving } = forecastBytes(of);
  t.is(sent[1], borderBytes(of, 1, 0) + borderBytes(of, 1, 2));
  t.is(received[1], borderBytes(of, 0, 1) + borderBytes(of, 2, 1));
  t.is(
    total,
    sent.reduce((a, b) => a + b),
  );
  t.is(distrifusion.total, forecastBytes(plan({ mode: 'distrifusion' })).total);
  t.is(saving, 1 - total / distrifusion.total);
});

test('a border that reaches beyond the neighbour is refused', (t) => {
  const wide = {
    ...exampleSites.borders[1]!,
    level: { times: 1, over: 8 },
    outLevel: { times: 1, over: 8 },
    kernel: 5,
    padTop: 2,
    padBottom: 2,
  };
  const sites = { ...exampleSites, borders: [wide] } as typeof exampleSites;
  const thin = planPatches(sites, { height: 32, width: 8, batch: 2, patches: 4, mode: 'pcpp' });
  t.throws(() => manifestOf(thin, 0, 1), { code: 'E_PARTITION', message: /use fewer patches/ });
});
