import test from 'ava';
import { lcm } from '../../../pcpp/samplers/lcm.js';
import { alphasCumprod } from '../../../pcpp/samplers/schedule.js';
import { discreteSettings } from '../../../pcpp/samplers/scheduler-config.js';
import { tensor } from '../../../pcpp/tensor.js';

/** As LCM_Dreamshaper_v7 has it. */
const config = {
  _class_name: 'LCMScheduler',
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  num_train_timesteps: 1000,
  original_inference_steps: 50,
  prediction_type: 'epsilon',
  set_alpha_to_one: true,
  steps_offset: 1,
  timestep_scaling: 10,
};
const alphas = alphasCumprod(discreteSettings(config, 'leading').schedule);
const one = (value: number) => tensor([1], Float32Array.of(value));

test('timesteps are those of distillation, spread from the noisiest on', (t) => {
  t.deepEqual(lcm(config, 4).timesteps, [999, 759, 499, 259]);
  t.deepEqual(lcm(config, 8).timesteps, [999, 879, 759, 639, 499, 379, 259, 139]);
  t.deepEqual(lcm(config, 1).timesteps, [999]);
});

test('a step guesses the image and goes back to the next level with fresh noise', (t) => {
  const sampler = lcm(config, 4);
  const [x, epsilon, noise] = [1.5, -0.25, 0.75];
  const image = (x - Math.sqrt(1 - alphas[999]!) * epsilon) / Math.sqrt(alphas[999]!);
  const expected = Math.sqrt(alphas[759]!) * image + Math.sqrt(1 - alphas[759]!) * noise;
  const { sample } = sampler.step(null, 0, one(epsilon), one(x), one(noise));
  t.true(Math.abs(sample.data[0]! - expected) < 1e-4 * Math.abs(expected));
});

test('the last step is the image, and draws nothing', (t) => {
  const sampler = lcm({ ...config, prediction_type: 'v_prediction' }, 4);
  const [x, velocity] = [1.5, -0.25];
  const image = Math.sqrt(alphas[259]!) * x - Math.sqrt(1 - alphas[259]!) * velocity;
  const { sample } = sampler.step(null, 3, one(velocity), one(x));
  t.true(Math.abs(sample.data[0]! - image) < 1e-5);
  t.throws(() => sampler.step(null, 0, one(velocity), one(x)), { code: 'E_SHAPE' });
});

test('where hardly any noise is left the image stays what it is', (t) => {
  const every = lcm({ ...config, original_inference_steps: 1000 }, 1000);
  t.is(every.timesteps.at(-1), 0);
  const { sample } = every.step(null, 999, one(3), one(1.5));
  t.is(sample.data[0], 1.5);
});

test('more steps than the model was distilled with are refused', (t) => {
  t.throws(() => lcm(config, 51), { code: 'E_OPTION', message: /1\.\.50, got 51/ });
  t.throws(() => lcm({ ...config, thresholding: true }, 4), { code: 'E_MODEL_CONFIG' });
});
