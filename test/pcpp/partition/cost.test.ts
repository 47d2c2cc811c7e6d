import test from 'ava';
import { forecastBytes } from '../../../pcpp/partition/bytes.js';
import {
  type Costs,
  forecastSeconds,
  forecastTurnsSeconds,
  rowCost,
  secondsOfRows,
  stepSeconds,
} from '../../../pcpp/partition/cost.js';
import { type PlanOptions, planPatches } from '../../../pcpp/partition/plan.js';
import { exampleSites } from '../../helpers/example-sites.js';

const height = 64;
const device = { whole: 1.1, displaced: { fixed: 0.1, perRow: 0.9 / height } };
const fast: Costs = {
  encode: 0.2,
  decode: { whole: 0.3 },
  single: 1,
  exchange: 0,
  devices: Array.from({ length: 8 }, () => device),
  link: { bytesPerSecond: 1e9, latency: 1e-4 },
};
const slower = (bytesPerSecond: number): Costs => ({
  ...fast,
  link: { ...fast.link, bytesPerSecond },
});
const planOf = (more: Partial<PlanOptions> = {}) =>
  planPatches(exampleSites, {
    height,
    width: exampleSites.width,
    batch: exampleSites.batch,
    patches: 2,
    mode: 'pcpp',
    ...more,
  });
const run = { steps: 20, warmupSteps: 2 };
const isClose = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9;

test('one device: prompt, steps and pixels', (t) => {
  const forecast = forecastSeconds(run, fast);
  t.true(isClose(forecast.total, 0.2 + 20 * 1 + 0.3));
  t.is(forecast.denoise, 20);
});

test('two devices: whole steps, a silent displaced one, and those that wait for the bytes of the plan', (t) => {
  const plan = planOf();
  const costs = slower(1e5);
  const transfer = Math.max(...forecastBytes(plan).received) / 1e5 + 1e-4;
  const compute = 0.1 + 0.9 / 2;
  const forecast = forecastSeconds({ ...run, plan }, costs);
  t.true(isClose(forecast.transfer, transfer));
  t.true(isClose(forecast.denoise, 2 * 1.1 + compute + 17 * (compute + transfer)));
  const gather = (4 * 4 * height * exampleSites.width) / 1e5 + 1e-4;
  t.true(isClose(forecast.total, 0.2 + forecast.denoise + gather + 0.3));
});

test('in turns an entry of guidance hides its bytes behind the other', (t) => {
  const plan = planOf();
  const share = 0.6;
  const compute = 2 * share * (0.1 + 0.9 / 2);
  const bytes = Math.max(...forecastBytes(plan).received);
  const step = (rate: number): number =>
    forecastTurnsSeconds({ ...run, plan }, slower(rate), share).step;
  // They fit: only the latent's rows are waited for.
  t.true(isClose(step(bytes / (compute / 2)), compute + 1e-4));
  // Those of one entry take just as long as the other entry computes, and then its latent's rows are waited for.
  const slow = bytes / compute;
  t.true(isClose(step(slow), compute + 2e-4));
  // They take longer than the step.
  t.true(isClose(step(bytes / 5), 5));
  const { total } = forecastSeconds({ ...run, plan }, slower(slow));
  const turns = forecastTurnsSeconds({ ...run, plan }, slower(slow), share);
  const together = forecastSeconds({ ...run, plan }, slower(slow)).step;
  const whole = 2 * (2 * share - 1) * 1.1;
  const silent = (2 * share - 1) * (0.1 + 0.9 / 2);
  t.true(isClose(turns.total - total, 17 * (turns.step - together) + silent + whole));
});

test('devices that decode their own rows take as long as the one that reads the most', (t) => {
  const reach = { above: 9, below: 9, scale: 8 };
  const decode = { whole: 0.3, strips: { cost: { fixed: 0.02, perRow: 0.28 / height }, reach } };
  const seconds = (plan = planOf()) =>
    forecastSeconds({ ...run, plan }, { ...fast, decode }).total -
    forecastSeconds({ ...run, plan }, { ...fast, decode: { whole: 0 } }).total;
  t.true(isClose(seconds(), 0.02 + (0.28 * (32 + 9)) / height));
  t.true(isClose(seconds(planOf({ patches: 4 })), 0.02 + (0.28 * (16 + 18)) / height));
  t.true(isClose(forecastSeconds(run, { ...fast, decode }).total, 0.2 + 20 + 0.3));
});

test('the slowest device sets the pace', (t) => {
  const slow = { whole: 2, displaced: { fixed: 0.5, perRow: 2 / height } };
  const forecast = forecastSeconds(
    { ...run, plan: planOf() },
    { ...fast, devices: [device, slow] },
  );
  t.is(forecast.compute, 1.5);
  t.true(forecast.denoise > 2 * 2 + 18 * 1.5);
});

test('a step with messages takes what passing them on takes', (t) => {
  const plan = planOf();
  const [without, more] = [fast, { ...fast, exchange: 0.02 }].map((costs) =>
    forecastSeconds({ ...run, plan }, costs),
  );
  t.true(isClose(more!.total - without!.total, 17 * 0.02));
  t.is(more!.compute, without!.compute);
});

test('at age 2 borders travel behind computing, until the link has no time left', (t) => {
  t.is(stepSeconds(1, 0.5, 1, 0.5), 1.5);
  t.is(stepSeconds(1, 0.5, 2, 0.5), 1);
  t.is(stepSeconds(1, 1.5, 2, 0.1), 1.25);
  t.is(stepSeconds(1, 3, 2, 2.9), 2.9);
});

test('a key frame of a residual wire is sent once', (t) => {
  const plan = planOf({ wire: 'residual-int4' });
  const { first, ...steady } = forecastBytes(plan);
  const more = (Math.max(...first.received) - Math.max(...steady.received)) / 1e5;
  t.true(more > 0);
  const forecast = forecastSeconds({ ...run, plan }, slower(1e5));
  const { compute, transfer } = forecast;
  t.true(isClose(forecast.denoise, 2 * 1.1 + compute + 17 * (compute + transfer) + more));
});

test('no forecast falls when a link slows down, a border grows or there are more steps', (t) => {
  const total = (costs: Costs, plan = planOf(), steps = 20): number =>
    forecastSeconds({ steps, warmupSteps: 2, plan }, costs).total;
  for (const [faster, slowerOne] of [
    [1e9, 1e7],
    [1e7, 1e5],
  ] as const) {
    t.true(total(slower(faster)) < total(slower(slowerOne)));
  }
  for (const [less, more] of [
    [0.1, 0.5],
    [0.5, 1],
  ] as const) {
    const at = (borderFraction: number) => total(slower(1e5), planOf({ borderFraction }));
    t.true(at(less) < at(more));
  }
  t.true(total(fast, planOf(), 20) < total(fast, planOf(), 21));
});

test('a line through two measurements has no negative part', (t) => {
  const line = rowCost([16, 0.35], [32, 0.6]);
  t.true(isClose(secondsOfRows(line, 16), 0.35));
  t.true(isClose(secondsOfRows(line, 64), 1.1));
  t.deepEqual(rowCost([16, 0.7], [32, 0.6]), { fixed: 0.7, perRow: 0 });
  t.deepEqual(rowCost([16, 0.1], [32, 0.6]), { fixed: 0, perRow: 0.6 / 32 });
  t.deepEqual(rowCost([32, 0.6], [32, 0.6]), { fixed: 0.6, perRow: 0 });
});

test('a device without known costs is an error, not a guess', (t) => {
  const plan = planOf({ patches: 4 });
  const few = { ...fast, devices: [device, device] };
  t.throws(() => forecastSeconds({ ...run, plan }, few), { instanceOf: RangeError });
});
