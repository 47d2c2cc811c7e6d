/** Whole-image steps at the end of an image mend what shows of stale borders. */

import test from 'ava';
import { kindOfStep } from '../../../pcpp/engine/step-kind.js';
import { psnr, seamEnergy } from '../../../pcpp/image/quality.js';
import { Model } from '../../../pcpp/model/model.js';
import { forecastCooldown } from '../../../pcpp/partition/bytes.js';
import { maxAbsDifference, scenesPath } from '../../helpers/golden.js';
import { ImageMaker } from '../../helpers/in-process-image.js';
import { steadyRequest as request } from '../../helpers/small-images.js';

const model = Model.open(scenesPath);
const maker = new ImageMaker(model);
test.after.always(() => model[Symbol.asyncDispose]());

test('an image has steps of three kinds, one after the other', (t) => {
  const counts = { evaluations: 6, warmupSteps: 1, cooldownSteps: 2 };
  t.deepEqual(
    [-1, 0, 1, 2, 3, 4, 5, 6].map((step) => kindOfStep(counts, step)),
    [undefined, 'warmup', 'displaced', 'displaced', 'cooldown', 'cooldown', 'displaced', undefined],
  );
});

test('steps of the cool-down are those of one device, and bring the picture nearer to its', async (t) => {
  const mended = await maker.make({ ...request, cooldownSteps: 2 }, 2);
  const plain = await maker.make({ ...request, cooldownSteps: 0 }, 2);
  const before = mended.latents[8]!;
  t.deepEqual(before, plain.latents[8]);
  const finished = await maker.continued(request, before, 9, 11);
  const distance = maxAbsDifference(mended.latents[10]!.data, finished.data);
  t.true(distance < 1e-4, `${distance}`);
  const { gathered, last } = forecastCooldown(mended.periods[0]!.plan);
  t.is(gathered.total, 4 * 8 * 32 * 32);
  t.is(last.total, 2 * 4 * 8 * 32);
  t.deepEqual(mended.borderBytes.slice(9), [gathered.total, gathered.total, last.total]);

  const alone = await maker.make({ ...request, mode: 'single' }, 1);
  const reference = await maker.decode(alone.latent);
  const [near, far] = [await maker.decode(mended.latent), await maker.decode(plain.latent)];
  t.log(`${psnr(near, reference).toFixed(1)} dB, ${psnr(far, reference).toFixed(1)} without`);
  t.true(psnr(near, reference) > psnr(far, reference) + 0.5);
  t.true(seamEnergy(near, [128]) < seamEnergy(far, [128]));
});
