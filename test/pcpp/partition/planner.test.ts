import test from 'ava';
import type { Costs } from '../../../pcpp/partition/cost.js';
import { planPatches } from '../../../pcpp/partition/plan.js';
import { chooseWay, devicesOf, leastGain } from '../../../pcpp/partition/planner.js';
import { exampleSites } from '../../helpers/example-sites.js';

const height = 64;
const { width, batch } = exampleSites;
const whole = planPatches(exampleSites, { height, width, batch, patches: 1, mode: 'pcpp' });
const input = { whole, steps: 50, warmupSteps: 4, devices: 8 };

/** Devices whose displaced step costs `perImage` seconds for all rows, and a link. */
const costsOf = (bytesPerSecond: number, perImage = 0.95, fixed = 0.05): Costs => ({
  encode: 0,
  decode: { whole: 0 },
  single: 1,
  exchange: 0,
  devices: Array.from({ length: 8 }, () => ({
    whole: 1,
    displaced: { fixed, perRow: perImage / height },
  })),
  link: { bytesPerSecond, latency: 1e-4 },
});

test('fast links: all devices, and the most faithful borders', (t) => {
  const { way, why, others } = chooseWay(input, costsOf(1e9));
  t.deepEqual(way, { mode: 'pcpp', devices: 8, borderFraction: 0.3, wire: 'fp16' });
  t.regex(
    why,
    /^pcpp on 8 devices, border 0\.3, fp16: \d+\.\d\d s forecast; one device 50\.00 s, /,
  );
  t.deepEqual(
    others.map((other) => devicesOf(other.way)),
    [1, 2, 3, 4, 5, 6, 7],
  );
});

test('a link so slow that nothing helps: one device is faster, and says why', (t) => {
  const { way, why } = chooseWay(input, costsOf(1e3));
  t.deepEqual(way, { mode: 'single' });
  t.regex(why, /^one device is faster: 50\.00 s forecast; pcpp on 2 devices/);
  t.regex(why, /a displaced step computes \d+ ms, its borders travel \d+ ms/);
});

test('in between, fewer bytes', (t) => {
  const wires = [1e9, 1e5, 2e4].map((rate) => chooseWay(input, costsOf(rate)).way);
  const [first, , last] = wires;
  t.is(first!.mode === 'pcpp' && first!.wire, 'fp16');
  t.is(last!.mode === 'pcpp' && last!.wire, 'residual-int4');
});

test('what gains next to nothing is not worth devices', (t) => {
  // Eight devices save as much as this of a step, and no more.
  const barely = (gain: number) =>
    chooseWay({ ...input, warmupSteps: 1 }, costsOf(1e12, 0, 1 - gain));
  const less = barely(leastGain / 2);
  t.is(less.way.mode, 'single');
  t.regex(less.why, /^one device is as fast: /);
  t.deepEqual(barely(2 * leastGain).way, {
    mode: 'pcpp',
    devices: 2,
    borderFraction: 0.3,
    wire: 'fp16',
  });
});

test('all steps on whole images: one device', (t) => {
  t.is(chooseWay({ ...input, steps: 1, warmupSteps: 1 }, costsOf(1e9)).way.mode, 'single');
});

test('what the user fixed stays', (t) => {
  const { way } = chooseWay({ ...input, borderFraction: 0.5, wire: 'int8' }, costsOf(1e9));
  t.deepEqual(way, { mode: 'pcpp', devices: 8, borderFraction: 0.5, wire: 'int8' });
});

test('numbers of devices that the rows do not allow are not tried', (t) => {
  const small = planPatches(exampleSites, { height: 16, width, batch, patches: 1, mode: 'pcpp' });
  const { way, others } = chooseWay({ ...input, whole: small }, costsOf(1e9));
  t.is(way.mode === 'pcpp' && way.devices, 2);
  t.is(others.length, 1);
});

test('patches thinner than what a convolution reaches are not tried', (t) => {
  const borders = exampleSites.borders.map((site) =>
    site.kind === 'conv' && site.nodes[0] === 'conv'
      ? { ...site, kernel: 19, padTop: 9, padBottom: 9 }
      : site,
  );
  const sites = { ...exampleSites, borders };
  const wide = planPatches(sites, { height: 32, width, batch, patches: 1, mode: 'pcpp' });
  const { way, others } = chooseWay({ ...input, whole: wide, devices: 4 }, costsOf(1e9));
  // Rows 8, 16, 8 have nothing but the image's edge beyond a direct neighbour; 8, 8, 8, 8 have.
  const tried = [way, ...others.map((other) => other.way)].map(devicesOf);
  t.deepEqual(tried.toSorted(), [1, 2, 3]);
});

test('guidance on two devices comes first where its steps are as fast: the picture stays the same', (t) => {
  const half = { share: 0.52, exchange: 0.001 };
  const costs = { ...costsOf(1e9), half };
  const two = chooseWay({ ...input, devices: 2 }, costs);
  t.deepEqual(two.way, { mode: 'single', cfgParallel: true, devices: 2 });
  t.true(Math.abs(two.forecast.denoise - 50 * (0.52 + 0.001)) < 1e-9);
  t.regex(two.why, /^guidance on two devices: 26\.05 s forecast; one device 50\.00 s$/);
  // Of more devices each group has patches, with half the bytes of both.
  const four = chooseWay({ ...input, devices: 4 }, costs);
  t.deepEqual(four.way, {
    mode: 'pcpp',
    devices: 4,
    borderFraction: 0.3,
    wire: 'fp16',
    cfgParallel: true,
  });
  t.regex(four.why, /^pcpp on 4 devices, guidance in two groups, border 0\.3, fp16: /);
  // Groups of patches wait for each other and read borders of age 1: a job would refuse them otherwise.
  const old = planPatches(exampleSites, {
    height,
    width,
    batch,
    patches: 1,
    mode: 'pcpp',
    age: 2,
  });
  for (const other of [{ late: true }, { whole: old }]) {
    t.false('cfgParallel' in chooseWay({ ...input, devices: 4, ...other }, costs).way);
  }
  // What the user fixed stays.
  const without = chooseWay({ ...input, devices: 4, cfgParallel: false }, costs);
  t.deepEqual(without.way, { mode: 'pcpp', devices: 4, borderFraction: 0.3, wire: 'fp16' });
  const slow = { ...costs, half: { share: 2, exchange: 1 } };
  t.is(chooseWay({ ...input, devices: 2 }, slow).way.mode, 'pcpp');
  // A link that takes as long as computing: what travels while the other entry is computed is not waited for.
  const narrow = { ...costs, link: { bytesPerSecond: 2e4, latency: 1e-3 } };
  const turns = chooseWay(
    { ...input, devices: 2, wire: 'fp16', borderFraction: 0.3, cfgParallel: false },
    narrow,
  );
  t.true('cfgInterleaved' in turns.way, turns.why);
  t.regex(turns.why, /^pcpp on 2 devices, guidance in turns, border 0\.3, fp16: /);
  const together = { ...input, devices: 2, wire: 'fp16', cfgParallel: false } as const;
  t.false('cfgInterleaved' in chooseWay({ ...together, cfgInterleaved: false }, narrow).way);
  t.false('cfgInterleaved' in chooseWay({ ...together, late: true }, narrow).way);
  t.true('cfgInterleaved' in chooseWay({ ...together, cfgInterleaved: true }, costs).way);
  const only = chooseWay({ ...input, devices: 2, cfgParallel: true }, slow).way;
  t.deepEqual(only, { mode: 'single', cfgParallel: true, devices: 2 });
});
