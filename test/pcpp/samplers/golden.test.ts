/** Trajectories of the real diffusers schedulers. */

import test from 'ava';
import { createSampler } from '../../../pcpp/samplers/create-sampler.js';
import type { SchedulerConfig } from '../../../pcpp/samplers/scheduler-config.js';
import { type Tensor, tensor } from '../../../pcpp/tensor.js';
import { goldenJson, goldenPath, maxAbsDifference } from '../../helpers/golden.js';
import { floats, readSafetensors } from '../../helpers/safetensors.js';

interface Case {
  readonly name: string;
  readonly scheduler: SchedulerConfig;
  readonly num_inference_steps: number;
  readonly init_noise_sigma: number;
  readonly step_kwargs: { readonly eta?: number };
  readonly set_timesteps_kwargs: { readonly mu?: number };
  readonly timesteps: readonly number[];
  readonly max_abs_sample: number;
}

const manifest = goldenJson<{
  readonly sample_shape: readonly number[];
  readonly cases: readonly Case[];
}>('refs/manifest-schedulers.json');
const tensors = readSafetensors(goldenPath('refs/schedulers.safetensors'));
// eta > 0 adds noise in each step, which is another sampler.
const cases = manifest.cases.filter((entry) => !entry.step_kwargs.eta);

test('the golden data covers every sampler, prediction and spacing', (t) => {
  t.is(cases.length, 58);
});

for (const entry of cases) {
  test(`${entry.name} walks as diffusers does`, (t) => {
    const { mu } = entry.set_timesteps_kwargs;
    const sampler = createSampler(entry.scheduler, {
      steps: entry.num_inference_steps,
      ...(mu === undefined ? {} : { shift: { mu } }),
    });
    const get = (kind: string): Float32Array => floats(tensors, `${entry.name}/${kind}`);
    const scale = entry.max_abs_sample;
    const timestepTolerance =
      entry.name.startsWith('flow') || entry.name.includes('karras') ? 1e-2 : 0;

    t.is(sampler.timesteps.length, entry.timesteps.length);
    t.true(
      maxAbsDifference(Float32Array.from(sampler.timesteps), get('timesteps')) <= timestepTolerance,
    );
    t.true(Math.abs(sampler.initNoiseSigma / entry.init_noise_sigma - 1) < 1e-4);

    if (`${entry.name}/sigmas` in tensors) {
      const isSplit = sampler.initNoiseSigma === 1;
      for (const [i, sigma] of [...get('sigmas')].slice(0, -1).entries()) {
        const given = tensor([1], Float32Array.of(2));
        const added = sampler.noised(given, tensor([1], Float32Array.of(3)), i).data[0]!;
        const flow = (1 - sigma) * 2 + sigma * 3;
        const expected = entry.name.startsWith('flow') ? flow : 2 + sigma * 3;
        const shrunk = isSplit && !entry.name.startsWith('flow') ? Math.hypot(sigma, 1) : 1;
        t.true(Math.abs(added - expected / shrunk) < 2e-3 * (1 + sigma / shrunk), `noise ${i}`);
      }
    }

    const samples = rows(get('samples'));
    const outputs = rows(get('model_outputs'));
    const noises = sampler.drawsNoise ? rows(get('noises')) : [];
    const inputs = `${entry.name}/model_inputs` in tensors ? rows(get('model_inputs')) : samples;
    let state = sampler.start();
    let free: Tensor = tensor(
      manifest.sample_shape,
      get('initial_noise').map((x) => x * sampler.initNoiseSigma),
    );
    for (const [i, output] of outputs.entries()) {
      const given = samples[i]!;
      const scaled = sampler.scaleInput(given, i);
      t.true(maxAbsDifference(scaled.data, inputs[i]!.data) <= 2e-4 * scale, `input ${i}`);

      const forced = sampler.step(state, i, output, given, noises[i]);
      const next = samples[i + 1]!.data;
      t.true(maxAbsDifference(forced.sample.data, next) <= 2e-4 * scale, `step ${i}`);

      const walked = sampler.step(state, i, output, free, noises[i]);
      free = walked.sample;
      t.true(maxAbsDifference(free.data, next) <= 1e-3 * scale, `free-running step ${i}`);
      state = walked.state;
    }
  });
}

/** Cuts [n, ...sample shape] into its n samples. */
function rows(all: Float32Array): readonly Tensor[] {
  const size = manifest.sample_shape.reduce((a, b) => a * b, 1);
  return Array.from({ length: all.length / size }, (_, i) =>
    tensor(manifest.sample_shape, all.slice(i * size, (i + 1) * size)),
  );
}
