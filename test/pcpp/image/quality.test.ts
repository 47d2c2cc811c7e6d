import test from 'ava';
import { psnr, seamEnergy, ssim } from '../../../pcpp/image/quality.js';

const image = (paint: (x: number, y: number) => number, width = 32, height = 24) => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, k) => {
    const pixel = Math.floor(k / 3);
    return paint(pixel % width, Math.floor(pixel / width));
  }),
});

const waves = image((x, y) => 128 + 100 * Math.sin(x / 3) * Math.cos(y / 4));

test('identical images are as near as can be', (t) => {
  t.is(psnr(waves, waves), Number.POSITIVE_INFINITY);
  t.true(Math.abs(ssim(waves, waves) - 1) < 1e-9);
});

test('an error of one level everywhere is 48.13 dB', (t) => {
  const shifted = { ...waves, data: waves.data.map((x) => x + 1) };
  t.true(Math.abs(psnr(waves, shifted) - 20 * Math.log10(255)) < 1e-9);
});

test('noise lowers both, and the negative is unlike', (t) => {
  const noisy = (amount: number) => ({
    ...waves,
    data: waves.data.map((x, k) => x + amount * ((k * 7919) % 13 < 6 ? 1 : -1)),
  });
  t.true(psnr(waves, noisy(3)) > psnr(waves, noisy(20)));
  t.true(ssim(waves, noisy(3)) > ssim(waves, noisy(20)));
  const inverted = { ...waves, data: waves.data.map((x) => 255 - x) };
  t.true(ssim(waves, inverted) < 0);
});

test('images of different sizes are not compared', (t) => {
  const other = image(() => 0, 24, 32);
  t.throws(() => psnr(waves, other), { code: 'E_SHAPE', message: /32x24 with 24x32/ });
  t.throws(() => ssim(waves, other), { code: 'E_SHAPE' });
});

test('a seam stands out by as much as it changes more than rows nearby', (t) => {
  const slope = image((_, y) => 5 * y);
  t.true(Math.abs(seamEnergy(slope, [12]) - 1) < 1e-9);
  const broken = image((_, y) => 5 * y + (y >= 12 ? 5 : 0));
  t.true(Math.abs(seamEnergy(broken, [12]) - 4) < 1e-9);
  // Seen from the next row the jump lies nearby.
  t.true(seamEnergy(broken, [13]) < 1);
  // Both count, and the edge of the image is none.
  t.true(Math.abs(seamEnergy(broken, [4, 12]) - 2.5) < 1e-9);
  t.is(
    seamEnergy(
      image(() => 7),
      [12],
    ),
    1,
  );
  t.is(seamEnergy(slope, []), 1);
});
