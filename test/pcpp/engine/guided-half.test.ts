/** Guidance on two groups of devices: the same picture, and every byte accounted for. */

import test from 'ava';
import { halfPlace } from '../../../pcpp/engine/guided-half.js';
import { type GenerationResult, openPipeline } from '../../../pcpp/index.js';
import { halvedRows } from '../../../pcpp/partition/strips.js';
import { startCluster } from '../../../runtime/index.js';
import { maxAbsDifference, scenesPath } from '../../helpers/golden.js';
import { likeness, makeShown } from '../../helpers/previews.js';
import { guidedRequest, makeGuided } from '../../helpers/small-images.js';

const [channels, height, width] = [8, 24, 16];

const distance = (a: GenerationResult, b: GenerationResult): number =>
  maxAbsDifference(a.latent.data, b.latent.data);
const bytesOf = ({ steps }: GenerationResult): number[] => steps.map((step) => step.borderBytes);

test.serial('two devices: each computes the whole image for one of the prompts', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
  const alone = await makeGuided(pipeline, { mode: 'single' });
  const output = 4 * channels * height * width;
  for (const mode of ['single', 'pcpp', 'sync'] as const) {
    const shared = await makeGuided(pipeline, { mode, cfgParallel: true });
    t.true(distance(alone, shared) < 1e-4, mode);
    t.deepEqual(shared.bounds, [0, height]);
    t.deepEqual(bytesOf(shared), Array(8).fill(2 * output));
    t.is(shared.forecast!.total, 2 * output);
    t.deepEqual([...new Set(shared.steps.map(({ borderAge }) => borderAge))], [undefined]);
    const shown = { ...guidedRequest, mode, cfgParallel: true, previewEvery: 5 };
    const again = await makeShown(pipeline, shown);
    t.deepEqual(again.result.png, shared.png);
    t.deepEqual(
      again.previews.map(({ step, image }) => [step, image.height]),
      [
        [4, height],
        [7, height],
      ],
    );
    t.true(likeness(again)[1]! > 30, mode);
  }
});

test.serial('four devices: two groups of two patches each', async (t) => {
  await using local = await startCluster({ workers: 4, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
  const whole = 4 * 4 * channels * height * width;
  for (const wire of ['fp16', 'residual-int8'] as const) {
    const two = await makeGuided(pipeline, { devices: 2, wire });
    const four = await makeGuided(pipeline, { cfgParallel: true, wire });
    t.deepEqual(four.bounds, two.bounds);
    // Nothing differs but the batch of a run, and residuals round from where they are.
    t.true(distance(two, four) < (wire === 'fp16' ? 1e-2 : 0.1), `${wire} ${distance(two, four)}`);
    const { first, total } = four.forecast!;
    const { gathered, last } = four.cooldown!;
    const outputs = 2 * 4 * channels * height * width;
    t.deepEqual(bytesOf(four), [
      ...[whole, whole, outputs, first.total, total, total],
      ...[gathered.total, last.total],
    ]);
    const ages = four.steps.map(({ borderAge }) => borderAge);
    t.deepEqual(ages, [undefined, undefined, undefined, 1, 1, 1, 0, 0]);
  }
  const alone = await makeGuided(pipeline, { mode: 'single' });
  const sync = await makeGuided(pipeline, { mode: 'sync', cfgParallel: true });
  t.deepEqual(sync.bounds, [0, 16, 24]);
  t.true(distance(alone, sync) < 1e-4);
  t.deepEqual(bytesOf(sync), [sync.forecast!.first.total, ...Array(7).fill(sync.forecast!.total)]);
});

test.serial('what cannot be halved is refused, and the devices stay usable', async (t) => {
  await using local = await startCluster({ workers: 3, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
  for (const [more, message] of [
    [{ guidanceScale: 1 }, /a guidance scale of 1 is none/],
    [{ borderAge: 2 }, /leave borderAge out/],
    [{ devices: 3 }, /3 cannot be halved/],
  ] as const) {
    await t.throwsAsync(makeGuided(pipeline, { ...more, cfgParallel: true }), {
      code: 'E_OPTION',
      message,
    });
  }
  await t.throwsAsync(makeGuided(pipeline, { devices: 4, cfgParallel: true }), {
    code: 'E_NO_ROOM',
  });
  // Of three devices two are taken.
  t.deepEqual((await makeGuided(pipeline, { cfgParallel: true })).bounds, [0, height]);
});

test('every device has one counterpart in the other group', (t) => {
  t.deepEqual(halfPlace(1, 3), { first: 0, counterpart: 4, isNegative: true });
  t.deepEqual(halfPlace(4, 3), { first: 3, counterpart: 1, isNegative: false });
});

test('both who own a patch decode half of it, unless it is a single row', (t) => {
  t.deepEqual(halvedRows([0, 8, 13]), { order: [0, 2, 1, 3], bounds: [0, 4, 8, 10, 13] });
  t.deepEqual(halvedRows([0, 1, 8]), { order: [0, 1], bounds: [0, 1, 8] });
});
