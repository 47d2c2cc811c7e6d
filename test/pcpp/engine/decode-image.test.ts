/** Whole images on a cluster: every device decodes its own rows, and nobody can tell. */

import test from 'ava';
import { DenoiseActor } from '../../../pcpp/engine/denoise-actor.js';
import { decodeLatents, toRgb } from '../../../pcpp/image/decode.js';
import {
  type GenerationProgress,
  type GenerationRequest,
  Model,
  openPipeline,
} from '../../../pcpp/index.js';
import { startCluster } from '../../../runtime/index.js';
import { goldenPath, maxAbsDifference, scenesPath } from '../../helpers/golden.js';
import { modelCopy } from '../../helpers/model-copy.js';

const request: GenerationRequest = {
  prompt: 'mountains, the ocean, sunrise, clouds',
  steps: 4,
  seed: 5,
  warmupSteps: 1,
};

type Decoded = Extract<GenerationProgress, { kind: 'decode' }>;

for (const [devices, width, height] of [
  [1, 128, 128],
  [2, 128, 192],
  [3, 64, 320],
  [4, 128, 256],
] as const) {
  test.serial(`${devices} devices decode ${width}x${height} as one does`, async (t) => {
    await using local = await startCluster({ workers: devices, resources: { cpu: 1 } });
    await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
    await using model = Model.open(scenesPath);
    const job = pipeline.generate({ ...request, width, height });
    const decoded: Decoded[] = [];
    for await (const progress of job) if (progress.kind === 'decode') decoded.push(progress);
    t.deepEqual(decoded, [{ kind: 'decode', devices }]);
    const { image, latent, png } = await job.result;
    const decoder = await model.session('vae_decoder');
    const [alone] = toRgb(await decodeLatents(decoder, latent, model.directory.vae));
    t.is(image.width, width);
    t.is(image.height, height);
    t.true(maxAbsDifference(image.data, alone!.data) <= 1);
    const again = await pipeline.generate({ ...request, width, height }).result;
    t.deepEqual(again.png, png);
  });
}

test('a device without a decoder leaves it to the first', async (t) => {
  const model = modelCopy(scenesPath, { 'vae_decoder/model.onnx': null });
  await using device = new DenoiseActor({ model, threads: 1 });
  t.deepEqual(await device.decoderReach({ height: 16, width: 16 }), {
    kind: 'whole',
    why: 'not every device has a decoder',
  });
});

test.serial(
  'a decoder that looks at the whole image is left to one device, which is said',
  async (t) => {
    await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
    const root = goldenPath('models/tiny-sd15');
    await using pipeline = await openPipeline(local.cluster, { model: root });
    await using model = Model.open(root);
    const job = pipeline.generate({ ...request, width: 128, height: 128 });
    for await (const progress of job) {
      if (progress.kind !== 'decode') continue;
      t.is(progress.devices, 1);
      t.regex(progress.why!, /InstanceNormalization/);
    }
    const { image, latent } = await job.result;
    const decoder = await model.session('vae_decoder');
    const [alone] = toRgb(await decodeLatents(decoder, latent, model.directory.vae));
    t.deepEqual(image.data, alone!.data);
  },
);
