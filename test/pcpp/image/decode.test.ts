import test from 'ava';
import { decodeLatents, encodeImage, toRgb } from '../../../pcpp/image/decode.js';
import { Model } from '../../../pcpp/model/model.js';
import { tensor } from '../../../pcpp/tensor.js';
import { goldenPath, maxAbsDifference } from '../../helpers/golden.js';
import { floats, readSafetensors } from '../../helpers/safetensors.js';

for (const [name, run] of [
  ['tiny-sd15', 'ddim20-cfg5'],
  ['tiny-sdxl', 'euler15-cfg5'],
] as const) {
  test(`${name} decodes as diffusers does`, async (t) => {
    await using model = Model.open(goldenPath(`models/${name}`));
    const tensors = readSafetensors(goldenPath(`refs/txt2img/${name}_${run}.safetensors`));
    const latents = tensor([1, 4, 16, 16], floats(tensors, 'final_latents'));
    const decoder = await model.session('vae_decoder');
    const pixels = await decodeLatents(decoder, latents, model.directory.vae);
    t.deepEqual(pixels.dims, [1, 3, 128, 128]);
    const shares = pixels.data.map((x) => Math.min(Math.max(x / 2 + 0.5, 0), 1));
    t.true(maxAbsDifference(shares, floats(tensors, 'image')) < 5e-4);
  });
}

test('the shift factor is added after the division', async (t) => {
  await using model = Model.open(goldenPath('models/tiny-sd15'));
  const decoder = await model.session('vae_decoder');
  const latents = tensor(
    [1, 4, 2, 2],
    Float32Array.from({ length: 16 }, (_, k) => k / 9),
  );
  const shifted = { ...model.directory.vae, scalingFactor: 2, shiftFactor: 1 };
  const plain = { ...shifted, scalingFactor: 1, shiftFactor: 0 };
  const byHand = tensor(
    latents.dims,
    latents.data.map((x) => x / 2 + 1),
  );
  t.deepEqual(
    await decodeLatents(decoder, latents, shifted),
    await decodeLatents(decoder, byHand, plain),
  );
});

test('a decoder that enlarges by another factor is refused', async (t) => {
  await using model = Model.open(goldenPath('models/tiny-sd15'));
  const decoder = await model.session('vae_decoder');
  const vae = { ...model.directory.vae, scaleFactor: 4 };
  await t.throwsAsync(decodeLatents(decoder, tensor([1, 4, 2, 2]), vae), {
    code: 'E_SHAPE',
    message: /must be \[1,3,8,8\].*got \[1,3,16,16\]/,
  });
});

test('pixels are interleaved, clipped and rounded', (t) => {
  const pixels = tensor([2, 3, 1, 2], Float32Array.of(-1, 1, 0, 9, -9, 0.5, 1, 1, 1, 1, 1, 1));
  const [first, second] = toRgb(pixels);
  t.deepEqual(first, { width: 2, height: 1, data: Uint8Array.of(0, 128, 0, 255, 255, 191) });
  t.deepEqual(second!.data, new Uint8Array(6).fill(255));
});

test('an image is encoded to the scaled mean of its latent', async (t) => {
  await using model = Model.open(goldenPath('models/tiny-sd15'));
  const encoder = await model.session('vae_encoder');
  const data = Uint8Array.from({ length: 3 * 32 * 16 }, (_, k) => (k * 37) % 256);
  const image = { width: 32, height: 16, data };
  const planes = Float32Array.from({ length: data.length }, (_, k) => {
    const [channel, pixel] = [Math.floor(k / 512), k % 512];
    return data[3 * pixel + channel]! / 127.5 - 1;
  });
  const sample = { type: 'float32', dims: [1, 3, 16, 32], data: planes } as const;
  const { latent_parameters: parameters } = await encoder.run({ sample });
  const { vae } = model.directory;
  const latent = await encodeImage(encoder, image, { ...vae, shiftFactor: 0.5 });
  t.deepEqual(latent.dims, [1, 4, 2, 4]);
  const means = [...(parameters!.data as Float32Array)].slice(0, 32);
  t.true(
    maxAbsDifference(
      latent.data,
      means.map((x) => (x - 0.5) * vae.scalingFactor),
    ) < 1e-6,
  );
  await t.throwsAsync(encodeImage(encoder, image, { ...vae, scaleFactor: 4 }), {
    code: 'E_SHAPE',
  });
});
