/** Borders that change from step to step and from layer to layer, in images of the model that ships. */

import test from 'ava';
import type { GenerationRequest } from '../../../pcpp/engine/generation-request.js';
import { Model } from '../../../pcpp/model/model.js';
import { forecastBytes } from '../../../pcpp/partition/bytes.js';
import { scenesPath } from '../../helpers/golden.js';
import { ImageMaker } from '../../helpers/in-process-image.js';

const model = Model.open(scenesPath);
const maker = new ImageMaker(model);
test.after.always(() => model[Symbol.asyncDispose]());

const request: GenerationRequest = {
  prompt: 'hills, a lake, sunset',
  width: 128,
  height: 192,
  steps: 8,
  seed: 3,
  warmupSteps: 2,
  cooldownSteps: 0,
  borderFraction: 0.3,
};
const up = 'up.';

test('a rule that holds everywhere is the border fraction', async (t) => {
  const plain = await maker.make({ ...request, borderFraction: 0.6 }, 3);
  const ruled = await maker.make({ ...request, borderRules: [{ borderFraction: 0.6 }] }, 3);
  t.deepEqual(ruled.latent, plain.latent);
  t.deepEqual(ruled.borderBytes, plain.borderBytes);
});

test('layers that are told apart but have the same borders make the same image', async (t) => {
  const plain = await maker.make({ ...request, wire: 'fp32' }, 2);
  const borderRules = [{ borderFraction: 0.3, layers: up }];
  const ruled = await maker.make({ ...request, wire: 'fp32', borderRules }, 2);
  t.deepEqual(ruled.borderBytes, plain.borderBytes);
  t.deepEqual(ruled.latent, plain.latent);
});

for (const [wire, borderAge] of [
  ['fp16', 2],
  ['residual-int8', 1],
] as const) {
  test(`${wire}, age ${borderAge}: bytes of every step are as planned`, async (t) => {
    const borderRules = [
      { borderFraction: 1, layers: up },
      { borderFraction: 0, steps: [5, 7] as const },
    ];
    const made = await maker.make({ ...request, wire, borderAge, borderRules }, 3);
    t.deepEqual(
      made.periods.map(({ from }) => from),
      [2, 5, 7],
    );
    const planned = Array<number>(request.steps!).fill(0);
    for (const { from, plan } of made.periods) {
      const { first, total } = forecastBytes(plan);
      const read = Math.max(from, request.warmupSteps! + borderAge);
      planned.fill(total, read);
      planned[read] = first.total;
    }
    t.deepEqual(made.borderBytes, planned);
    t.is(new Set(made.periods.map(({ plan }) => forecastBytes(plan).total)).size, 2);
  });
}

test('until its step a rule changes nothing', async (t) => {
  const plain = await maker.make({ ...request, steps: 8 }, 2);
  const late = { borderRules: [{ borderFraction: 1, steps: [7, 8] as const }] };
  const ruled = await maker.make({ ...request, ...late }, 2);
  t.deepEqual(ruled.borderBytes.slice(0, 7), plain.borderBytes.slice(0, 7));
  t.true(ruled.borderBytes[7]! > plain.borderBytes[7]!);
  t.notDeepEqual(ruled.latent, plain.latent);
});
