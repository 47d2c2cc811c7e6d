/** Between real processes a message is lost. With residual borders the next one shows it; with a deadline nobody waits for ever. */

import test from 'ava';
import { Pipeline } from '../../../pcpp/engine/pipeline.js';
import { type GenerationRequest, openPipeline } from '../../../pcpp/index.js';
import { type Cluster, startCluster } from '../../../runtime/index.js';
import { scenesPath } from '../../helpers/golden.js';

const request: GenerationRequest = {
  prompt: 'mountains, the ocean, sunrise, clouds',
  width: 128,
  height: 128,
  steps: 10,
  seed: 5,
  warmupSteps: 2,
  cooldownSteps: 1,
};

async function lossyDevices(cluster: Cluster) {
  const lib = await cluster.load<typeof import('../../fixtures/pcpp/lossy-device.js')>(
    new URL('../../fixtures/pcpp/lossy-device.js', import.meta.url),
  );
  const group = await cluster.group([{ cpu: 1 }, { cpu: 1 }], { strategy: 'strict-spread' });
  const devices = await Promise.all(
    [0, 1].map((index) =>
      lib.LossyDevice.create({
        args: [{ model: scenesPath }],
        resources: { cpu: 1 },
        bundle: { group, index },
      }),
    ),
  );
  return { devices, pipeline: new Pipeline(devices, group) };
}

/** What is read in step 6 is the first by another plan; the one that is lost is the last before it. */
const borderRules = [{ borderFraction: 1, steps: [6, 8] as const }];

test.serial('the image is the one of a link that loses nothing', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  const { cluster } = local;
  const variants: readonly Partial<GenerationRequest>[] = [
    { wire: 'residual-int8', borderRules },
    { wire: 'residual-int4' },
    { wire: 'fp16' },
  ];
  const expected: Uint8Array[] = [];
  {
    await using pipeline = await openPipeline(cluster, { model: scenesPath });
    for (const more of variants) {
      expected.push((await pipeline.generate({ ...request, ...more }).result).png);
    }
  }
  const { devices, pipeline: lossy } = await lossyDevices(cluster);
  await using pipeline = lossy;
  for (const [index, more] of variants.entries()) {
    const made = await pipeline.generate({ ...request, ...more }).result;
    t.deepEqual(await Promise.all(devices.map((device) => device.losses())), [0, index + 1]);
    t.deepEqual(made.png, expected[index]);
    const bytes = made.steps.map(({ borderBytes }) => borderBytes);
    const { first, repair, total } = made.forecast!;
    const later = made.forecasts?.[1]?.forecast;
    // Step 5 of the lower patch reads version 4. Of residuals it came by itself a second time, when the next one had come;
    // others are asked for when they are waited for.
    const isResidual = more.wire !== 'fp16';
    const again = (isResidual ? repair : made.forecast!).received[1]!;
    const mixed = total - made.forecast!.received[1]! + again;
    t.deepEqual(bytes, [
      ...[0, 0, 0, first.total, total, mixed],
      ...(later ? [later.first.total, later.total] : [total, total]),
      ...[made.cooldown!.gathered.total, made.cooldown!.last.total],
    ]);
  }
});

test.serial(
  'with a deadline an older border takes the place of a lost one, and is counted',
  async (t) => {
    await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
    const { devices, pipeline: lossy } = await lossyDevices(local.cluster);
    await using pipeline = lossy;
    // Sooner than a patch that waits asks for it again.
    const made = await pipeline.generate({ ...request, borderDeadlineMs: 800 }).result;
    t.deepEqual(await Promise.all(devices.map((device) => device.losses())), [0, 1]);
    // Step 5 of the lower patch reads version 3; then the upper one may have waited too long as well.
    t.is(made.steps[5]!.lateBorders, 1);
    t.is(made.steps[5]!.borderAge, 2);
    for (const { borderAge, lateBorders, borderBytes } of made.steps.slice(3, -2)) {
      t.is(borderAge, lateBorders > 0 ? 2 : 1);
      t.is(borderBytes, made.forecast!.total);
    }
    t.deepEqual(
      made.steps.slice(0, 5).map(({ lateBorders }) => lateBorders),
      [0, 0, 0, 0, 0],
    );
    // Rows of the whole image are waited for all the same.
    t.deepEqual(
      made.steps.slice(-2).map(({ lateBorders, borderBytes }) => [lateBorders, borderBytes]),
      [
        [0, made.cooldown!.gathered.total],
        [0, made.cooldown!.last.total],
      ],
    );
  },
);
