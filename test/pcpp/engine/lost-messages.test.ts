/** Residual borders between real processes, when one message is lost: the next one shows it. */

import test from 'ava';
import { Pipeline } from '../../../pcpp/engine/pipeline.js';
import { type GenerationRequest, openPipeline } from '../../../pcpp/index.js';
import { startCluster } from '../../../runtime/index.js';
import { scenesPath } from '../../helpers/golden.js';

const request: GenerationRequest = {
  prompt: 'mountains, the ocean, sunrise, clouds',
  width: 128,
  height: 128,
  steps: 8,
  seed: 5,
  warmupSteps: 2,
};

for (const wire of ['residual-int8', 'residual-int4'] as const) {
  test.serial(`${wire}: the image is the one of a link that loses nothing`, async (t) => {
    await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
    const { cluster } = local;
    const expected = await (async () => {
      await using pipeline = await openPipeline(cluster, { model: scenesPath });
      return await pipeline.generate({ ...request, wire }).result;
    })();
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
    await using pipeline = new Pipeline(devices, group);
    const made = await pipeline.generate({ ...request, wire }).result;
    t.deepEqual(await Promise.all(devices.map((device) => device.losses())), [0, 1]);
    t.deepEqual(made.png, expected.png);
    const bytes = made.steps.map(({ borderBytes }) => borderBytes);
    const { first, repair, total } = made.forecast!;
    // Step 5 of the lower patch reads version 4, which came by itself a second time.
    const mixed = total - made.forecast!.received[1]! + repair.received[1]!;
    t.deepEqual(bytes, [0, 0, 0, first.total, total, mixed, total, total]);
  });
}
