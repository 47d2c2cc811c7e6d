/** The image that a network sees in the noise, for everything that a network may predict. */

import test from 'ava';
import { createSampler } from '../../../pcpp/samplers/create-sampler.js';
import { type Sampler, samplerNames } from '../../../pcpp/samplers/sampler.js';
import { type Tensor, tensor } from '../../../pcpp/tensor.js';

const diffusion = {
  _class_name: 'DDIMScheduler',
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  steps_offset: 1,
};
const flow = { _class_name: 'FlowMatchEulerDiscreteScheduler', shift: 3 };
const steps = 8;

const values = (...data: readonly number[]): Tensor =>
  tensor([data.length], Float32Array.of(...data));
const image = values(0.5, -1.25, 0, 2);
const noise = values(-0.75, 0.25, 1.5, 0);

/** How much of image and noise there is in a sample. */
function shares(sampler: Sampler, index: number): readonly [signal: number, spread: number] {
  const [one, zero] = [values(1), values(0)];
  return [sampler.noised(one, zero, index).data[0]!, sampler.noised(zero, one, index).data[0]!];
}

function isImage(sampler: Sampler, output: (index: number) => Tensor): boolean {
  return sampler.timesteps.every((_, index) => {
    const sample = sampler.noised(image, noise, index);
    const seen = sampler.denoised(output(index), sample, index);
    return seen.data.every((value, k) => Math.abs(value - image.data[k]!) < 1e-4);
  });
}

const names = samplerNames.filter((name) => name !== 'flow-match-euler');

for (const name of names) {
  for (const skippedSteps of [0, 3]) {
    test(`${name} gives the image back from the true noise, ${skippedSteps} steps left out`, (t) => {
      const sampler = createSampler(diffusion, { steps, name, skippedSteps });
      t.true(isImage(sampler, () => noise));
    });

    test(`${name} gives the image back from the true velocity, ${skippedSteps} steps left out`, (t) => {
      const config = { ...diffusion, prediction_type: 'v_prediction' };
      const sampler = createSampler(config, { steps, name, skippedSteps });
      const velocity = (index: number): Tensor => {
        const [signal, spread] = shares(sampler, index);
        const norm = Math.hypot(signal, spread);
        return tensor(
          image.dims,
          image.data.map((x, k) => (signal * noise.data[k]! - spread * x) / norm),
        );
      };
      t.true(isImage(sampler, velocity));
    });
  }
}

test('a flow gives the image back from the way to the noise', (t) => {
  const sampler = createSampler(flow, { steps });
  const way = tensor(
    image.dims,
    image.data.map((x, k) => noise.data[k]! - x),
  );
  t.true(isImage(sampler, () => way));
});

test('an image that is cut off to a range is seen like that', (t) => {
  const sampler = createSampler({ ...diffusion, clip_sample: true }, { steps });
  const seen = sampler.denoised(noise, sampler.noised(image, noise, 2), 2);
  t.true(Math.abs(seen.data[1]! + 1) < 1e-6 && Math.abs(seen.data[0]! - 0.5) < 1e-4);
});

test('tensors of different shapes are refused', (t) => {
  for (const name of names) {
    const sampler = createSampler(diffusion, { steps, name });
    t.throws(() => sampler.denoised(values(1), image, 0), { code: 'E_SHAPE' });
  }
});
