import test from 'ava';
import {
  alphasCumprod,
  type BetaSchedule,
  linspace,
  roundHalfEven,
  spacedTimesteps,
  type TimestepSpacing,
} from '../../../pcpp/samplers/schedule.js';

const schedule = (betaSchedule: BetaSchedule, zeroTerminalSnr = false) => ({
  trainSteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule,
  trainedBetas: null,
  zeroTerminalSnr,
});

for (const name of ['linear', 'scaled_linear', 'squaredcos_cap_v2'] as const) {
  test(`${name}: the share of signal falls from almost 1 and stays above 0`, (t) => {
    const alphas = alphasCumprod(schedule(name));
    t.is(alphas.length, 1000);
    t.true(alphas[0]! > 0.999 && alphas[0]! < 1);
    t.true(alphas.every((alpha, i) => i === 0 || (alpha < alphas[i - 1]! && alpha > 0)));
  });

  test(`${name}: rescaled, the first share is kept and the last is 0`, (t) => {
    const plain = alphasCumprod(schedule(name));
    const rescaled = alphasCumprod(schedule(name, true));
    t.true(Math.abs(rescaled[0]! - plain[0]!) < 1e-12);
    t.is(rescaled[999], 0);
  });
}

test('squaredcos follows the cosine until its last betas are capped', (t) => {
  const alphas = alphasCumprod(schedule('squaredcos_cap_v2'));
  const bar = (share: number): number =>
    Math.cos(((share + 0.008) / 1.008) * (Math.PI / 2)) ** 2 /
    Math.cos((0.008 / 1.008) * (Math.PI / 2)) ** 2;
  for (const step of [1, 250, 500, 990]) {
    t.true(Math.abs(alphas[step - 1]! - bar(step / 1000)) < 1e-9);
  }
});

test('trained betas take the place of the formula', (t) => {
  const alphas = alphasCumprod({ ...schedule('linear'), trainedBetas: [0.5, 0.5] });
  t.deepEqual([...alphas], [0.5, 0.25]);
});

for (const spacing of ['leading', 'trailing', 'linspace'] satisfies TimestepSpacing[]) {
  test(`${spacing}: timesteps fall strictly, for every number of steps`, (t) => {
    for (let steps = 1; steps <= 1000; steps++) {
      const timesteps = spacedTimesteps(spacing, steps, 1000, 0);
      t.is(timesteps.length, steps);
      t.true(timesteps[0]! <= 999 && timesteps.at(-1)! >= -1e-9);
      t.true(timesteps.every((step, i) => i === 0 || step < timesteps[i - 1]!));
    }
  });
}

test('halves are rounded to even, as numpy does', (t) => {
  t.deepEqual([0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven), [0, 2, 2, 2, 3]);
});

test('linspace contains both ends exactly', (t) => {
  t.deepEqual(linspace(1, 3, 3), [1, 2, 3]);
  t.deepEqual(linspace(7, 9, 1), [7]);
  t.is(linspace(0.1, 0.7, 11).at(-1), 0.7);
});
