/** Guidance in turns on every device: the picture of guidance in one batch, and every byte as planned. */

import test from 'ava';
import { openPipeline } from '../../../pcpp/index.js';
import { startCluster } from '../../../runtime/index.js';
import { maxAbsDifference, scenesPath } from '../../helpers/golden.js';
import { likeness, makeShown } from '../../helpers/previews.js';
import { guidedRequest, makeGuided } from '../../helpers/small-images.js';

test('in turns the picture is the same, and borders are one step old', async (t) => {
  await using local = await startCluster({ workers: 3, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
  for (const more of [
    { wire: 'fp32' },
    { wire: 'residual-int8', borderRules: [{ borderFraction: 1, steps: [5, 6] }] },
  ] as const) {
    const together = await makeGuided(pipeline, more);
    const asked = { ...guidedRequest, ...more, cfgInterleaved: true, previewEvery: 5 };
    const shown = await makeShown(pipeline, asked);
    const turns = shown.result;
    t.true(likeness(shown)[1]! > 28, more.wire);
    const far = maxAbsDifference(together.latent.data, turns.latent.data);
    // Nothing differs but the batch of a run, and what is rounded is rounded from where it is.
    const bound = { fp32: 1e-4, 'residual-int8': 0.1 }[more.wire];
    t.true(far < bound, `${more.wire} ${far}`);
    t.deepEqual(
      turns.steps.map(({ borderAge }) => borderAge),
      [undefined, undefined, undefined, 1, 1, 1, 0, 0],
    );
    const planned = Array<number>(8).fill(0);
    for (const { from, forecast } of turns.forecasts ?? [{ from: 3, forecast: turns.forecast! }]) {
      planned.fill(forecast.total, Math.max(from, 3));
      planned[Math.max(from, 3)] = forecast.first.total;
    }
    const { gathered, last } = turns.cooldown!;
    planned.splice(6, 2, gathered.total, last.total);
    t.deepEqual(
      turns.steps.map((step) => step.borderBytes),
      planned,
    );
    if (more.wire === 'fp32') t.is(turns.forecast!.total, together.forecast!.total);
  }
});

test('what cannot be in turns is refused, and where nothing is displaced there is nothing to do', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
  for (const [more, message] of [
    [{ guidanceScale: 1 }, /a guidance scale of 1 is none/],
    [{ borderAge: 2 }, /leave borderAge out/],
    [{ cfgParallel: true }, /exclude each other/],
    [{ borderDeadlineMs: 5 }, /waits in turns/],
  ] as const) {
    await t.throwsAsync(makeGuided(pipeline, { ...more, cfgInterleaved: true }), {
      code: 'E_OPTION',
      message,
    });
  }
  const single = await makeGuided(pipeline, { mode: 'single' });
  for (const more of [{ mode: 'single' }, { warmupSteps: 6 }] as const) {
    const turns = await makeGuided(pipeline, { ...more, cfgInterleaved: true });
    t.true(maxAbsDifference(turns.latent.data, single.latent.data) < 1e-4);
  }
});
