import test from 'ava';
import {
  averaged,
  colorsOf,
  fitColors,
  fittedColors,
  type LatentColors,
} from '../../../pcpp/image/latent-colors.js';
import { leastSquares } from '../../../pcpp/image/least-squares.js';
import { Model } from '../../../pcpp/model/model.js';
import { initialRows } from '../../../pcpp/samplers/noise.js';
import { tensor } from '../../../pcpp/tensor.js';
import { scenesPath } from '../../helpers/golden.js';

const isNear = (found: LatentColors, expected: LatentColors): boolean =>
  found.every((weights, i) => weights.every((x, k) => Math.abs(x - expected[i]![k]!) < 1e-5));

test('least squares find the line through points, and the one between them', (t) => {
  const rows = [0, 1, 2, 3].map((x) => [x, 1]);
  t.true(
    isNear(
      leastSquares(rows, [
        [1, 3, 5, 7],
        [0, 1, 0, 1],
      ]),
      [
        [2, 1],
        [0.2, 0.2],
      ],
    ),
  );
});

test('observations that leave a weight open, or are no numbers, are refused', (t) => {
  const same = [1, 2, 3].map((x) => [x, 2 * x]);
  t.throws(() => leastSquares(same, [[1, 2, 3]]), { code: 'E_SHAPE' });
  t.throws(() => leastSquares([[1, 1]], [[1]]), { code: 'E_SHAPE' });
  t.throws(() => leastSquares([[1], [2]], [[1, Number.NaN]]), { code: 'E_SHAPE' });
});

test('colours that are linear in the latent are found again', (t) => {
  const colors: LatentColors = [
    [0.5, -0.25, 0.1],
    [0, 1, -0.2],
    [-0.3, 0.2, 0],
  ];
  const latent = initialRows(3, { channels: 2, width: 5, fromRow: 0, toRow: 4 });
  const pixels = tensor([1, 3, 4, 5]);
  for (const [color, [a, b, c]] of colors.entries()) {
    for (let k = 0; k < 20; k++) {
      pixels.data[20 * color + k] = a! * latent.data[k]! + b! * latent.data[20 + k]! + c!;
    }
  }
  t.true(isNear(fittedColors(latent, pixels), colors));
});

test('a latent becomes a pixel for each of its places, clipped as pixels are', (t) => {
  const latent = tensor([1, 2, 1, 3], Float32Array.of(0, 1, 9, 0, 0.5, 0));
  const image = colorsOf(latent, [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, -1],
  ]);
  t.deepEqual([image.width, image.height], [3, 1]);
  t.deepEqual([...image.data], [128, 128, 0, 255, 191, 0, 255, 128, 0]);
});

test('blocks of pixels become their means, in every channel by itself', (t) => {
  const pixels = tensor([1, 2, 2, 4], Float32Array.of(...Array(16).keys()));
  const small = averaged(pixels, 2);
  t.deepEqual(small.dims, [1, 2, 1, 2]);
  t.deepEqual([...small.data], [2.5, 4.5, 10.5, 12.5]);
});

test('a decoder always gives the same colours, and one without finite pixels none', async (t) => {
  await using model = Model.open(scenesPath);
  const { vae } = model.directory;
  const decoder = await model.session('vae_decoder');
  const colors = await fitColors(decoder, 8, vae);
  t.deepEqual(await fitColors(decoder, 8, vae), colors);
  t.deepEqual(
    colors.map(({ length }) => length),
    [9, 9, 9],
  );
  await t.throwsAsync(fitColors(decoder, 8, { ...vae, shiftFactor: Number.NaN }), {
    code: 'E_MODEL_CONFIG',
    message: /leave previewEvery out/,
  });
});
