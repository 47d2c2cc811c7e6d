/** Whole images on a cluster: every device decodes its own rows, and nobody can tell. */

import test from 'ava';
import {
  type DecodingDevice,
  decodeStrips,
  planDecoding,
} from '../../../pcpp/engine/decode-image.js';
import { DenoiseActor } from '../../../pcpp/engine/denoise-actor.js';
import { decodeLatents, toRgb } from '../../../pcpp/image/decode.js';
import {
  type GenerationProgress,
  type GenerationRequest,
  Model,
  openPipeline,
} from '../../../pcpp/index.js';
import { tensor } from '../../../pcpp/tensor.js';
import { type ActorContext, runInContext } from '../../../runtime/actor/context.js';
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

/** Devices that paint the latent row they begin with, and note what they are given. */
function paintingDevices(count: number) {
  const calls: [device: number, rows: number, keeps: unknown][] = [];
  const devices = Array.from({ length: count }, (_, device): DecodingDevice => {
    return {
      decoderReach: async () => ({ kind: 'rows', above: 2, below: 2, scale: 1 }),
      decode: async (latent, keeps) => {
        const rows = latent.dims[2]!;
        calls.push([device, rows, keeps]);
        const height = keeps ? keeps[1] - keeps[0] : rows;
        return { width: 1, height, data: new Uint8Array(3 * height).fill(latent.data[0]!) };
      },
    };
  });
  return { calls, devices };
}

test('every device decodes its own rows, and no other whole image is decoded', async (t) => {
  const latent = tensor([1, 1, 8, 1], Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7));
  const { calls, devices } = paintingDevices(2);
  const decoding = await planDecoding(devices, { height: 8, width: 1 }, [0, 3, 8]);
  if (decoding.by !== 'strips') return t.fail(decoding.by);
  const image = await decodeStrips(devices, decoding.strips, latent);
  t.deepEqual(calls, [
    [0, 5, [0, 3]],
    [1, 7, [2, 7]],
  ]);
  t.deepEqual([...image.data], [...Array(9).fill(0), ...Array(15).fill(1)]);
});

/** What a device's constructor asks of its actor. */
const alone = { resources: {}, note: () => undefined } as unknown as ActorContext;

test('a device without a decoder leaves it to the first', async (t) => {
  const model = modelCopy(scenesPath, { 'vae_decoder/model.onnx': null });
  await using device = runInContext(alone, () => new DenoiseActor({ model }));
  t.deepEqual(await device.decoderReach({ height: 16, width: 16 }), {
    kind: 'whole',
    why: 'not every device has a decoder',
  });
});

for (const [devices, width, height] of [
  [2, 128, 128],
  [3, 64, 320],
] as const) {
  test.serial(`${devices} devices decode together what looks at the whole image`, async (t) => {
    await using local = await startCluster({ workers: devices, resources: { cpu: 1 } });
    const root = goldenPath('models/tiny-sd15');
    await using pipeline = await openPipeline(local.cluster, { model: root });
    await using model = Model.open(root);
    const job = pipeline.generate({ ...request, width, height });
    const decoded: Decoded[] = [];
    for await (const progress of job) if (progress.kind === 'decode') decoded.push(progress);
    t.deepEqual(decoded, [{ kind: 'decode', devices }]);
    const { image, latent, png } = await job.result;
    const decoder = await model.session('vae_decoder');
    const [alone] = toRgb(await decodeLatents(decoder, latent, model.directory.vae));
    t.true(maxAbsDifference(image.data, alone!.data) <= 1);
    const again = await pipeline.generate({ ...request, width, height }).result;
    t.deepEqual(again.png, png);
  });
}
