import test from 'ava';
import fc from 'fast-check';
import { PcppError, type PcppErrorCode } from '../../../pcpp/errors.js';
import { createSampler } from '../../../pcpp/samplers/create-sampler.js';
import { shiftOfSize } from '../../../pcpp/samplers/flow-match-euler.js';
import { type SamplerName, samplerNames } from '../../../pcpp/samplers/sampler.js';
import type { SchedulerConfig } from '../../../pcpp/samplers/scheduler-config.js';
import { concatRows, type Tensor, takeRows, tensor } from '../../../pcpp/tensor.js';
import { goldenJson } from '../../helpers/golden.js';

const pndm = goldenJson<SchedulerConfig>('models/tiny-sd15/scheduler/scheduler_config.json');
const ddim: SchedulerConfig = { ...pndm, _class_name: 'DDIMScheduler' };
const flow: SchedulerConfig = { _class_name: 'FlowMatchEulerDiscreteScheduler', shift: 3 };

test('a sampler chosen by name keeps the betas, spacing and offset of the model', (t) => {
  const named = createSampler(pndm, { steps: 10, name: 'ddim' });
  const own = createSampler(ddim, { steps: 10 });
  t.deepEqual(named.timesteps, own.timesteps);
  t.is(named.timesteps[0], 901);
  const x = tensor([1, 1, 1, 2], Float32Array.of(1, -2));
  const y = tensor([1, 1, 1, 2], Float32Array.of(0.3, 0.1));
  t.deepEqual(named.step(named.start(), 3, y, x).sample, own.step(own.start(), 3, y, x).sample);
  t.is(createSampler(pndm, { steps: 10, name: 'euler' }).timesteps[0], 901);
});

const refusals: readonly (readonly [
  what: string,
  config: SchedulerConfig,
  options: { readonly steps: number; readonly name?: SamplerName },
  code: PcppErrorCode,
  text: RegExp,
])[] = [
  [
    'an unsupported class',
    { ...pndm, _class_name: 'LMSDiscreteScheduler' },
    { steps: 9 },
    'E_MODEL_CONFIG',
    /LMSDiscreteScheduler.*--sampler ddim, --sampler pndm, --sampler euler,/,
  ],
  ['an unknown name', pndm, { steps: 9, name: 'x' as SamplerName }, 'E_OPTION', /no sampler "x"/],
  [
    'ddim for a flow model',
    flow,
    { steps: 9, name: 'ddim' },
    'E_OPTION',
    /--sampler flow-match-euler/,
  ],
  [
    'flow for a noise model',
    ddim,
    { steps: 9, name: 'flow-match-euler' },
    'E_OPTION',
    /does not fit/,
  ],
  [
    'another prediction',
    { ...ddim, prediction_type: 'sample' },
    { steps: 9 },
    'E_MODEL_CONFIG',
    /prediction_type.*v_prediction/,
  ],
  [
    'another beta schedule',
    { ...ddim, beta_schedule: 'sigmoid' },
    { steps: 9 },
    'E_MODEL_CONFIG',
    /beta_schedule/,
  ],
  [
    'thresholding',
    { ...ddim, thresholding: true },
    { steps: 9 },
    'E_MODEL_CONFIG',
    /thresholding true/,
  ],
  [
    'epsilon without signal',
    { ...ddim, rescale_betas_zero_snr: true, timestep_spacing: 'trailing' },
    { steps: 9 },
    'E_MODEL_CONFIG',
    /v_prediction/,
  ],
  [
    'beta sigmas',
    { ...ddim, use_beta_sigmas: true },
    { steps: 9, name: 'euler' },
    'E_MODEL_CONFIG',
    /use_beta_sigmas/,
  ],
  [
    'log-linear sigmas',
    { ...ddim, interpolation_type: 'log_linear' },
    { steps: 9, name: 'euler' },
    'E_MODEL_CONFIG',
    /interpolation_type/,
  ],
  [
    'dynamic shift without size',
    { ...flow, use_dynamic_shifting: true },
    { steps: 9 },
    'E_MODEL_CONFIG',
    /shift mu/,
  ],
  ['no steps', ddim, { steps: 0 }, 'E_OPTION', /1\.\.1000/],
  ['half a step', flow, { steps: 1.5 }, 'E_OPTION', /1\.\.1000/],
  ['more steps than training had', ddim, { steps: 1000 }, 'E_OPTION', /fewer steps/],
];

for (const [what, config, options, code, text] of refusals) {
  test(`${what} is refused`, (t) => {
    const error = t.throws(() => createSampler(config, options), { instanceOf: PcppError });
    t.is(error.code, code);
    t.regex(error.message, text);
  });
}

for (const name of samplerNames) {
  test(`${name} steps the rows of a patch as it steps the whole latent`, (t) => {
    const sampler = createSampler(name === 'flow-match-euler' ? flow : ddim, { steps: 7, name });
    const values = fc.array(fc.float({ min: -9, max: 9, noNaN: true }), {
      minLength: 48,
      maxLength: 48,
    });
    fc.assert(
      fc.property(
        values,
        values,
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 1, max: 5 }),
        (x, y, index, cut) => {
          const sample = tensor([1, 2, 6, 4], Float32Array.from(x));
          const output = tensor([1, 2, 6, 4], Float32Array.from(y));
          // From the start, since some samplers remember.
          const walk = (from: number, to: number): Tensor => {
            const rows = (whole: Tensor): Tensor => takeRows(whole, from, to);
            let state = sampler.start();
            let latent = rows(sample);
            for (let at = 0; at <= index; at++) {
              const next = sampler.step(state, at, rows(output), latent, rows(output));
              ({ state, sample: latent } = next);
            }
            return latent;
          };
          const whole = walk(0, 6);
          const parts = [walk(0, cut), walk(cut, 6)];
          t.deepEqual(concatRows(parts), whole);
          t.deepEqual(
            takeRows(sampler.scaleInput(sample, index), 0, cut),
            sampler.scaleInput(takeRows(sample, 0, cut), index),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  test(`${name} refuses an output of another shape`, (t) => {
    const sampler = createSampler(name === 'flow-match-euler' ? flow : ddim, { steps: 7, name });
    const step = () => sampler.step(sampler.start(), 0, tensor([1, 1, 2, 2]), tensor([1, 1, 4, 1]));
    t.is(t.throws(step, { instanceOf: PcppError }).code, 'E_SHAPE');
  });
}

test('the shift of a flow model lies on a line between two sizes', (t) => {
  const dynamic = { ...flow, use_dynamic_shifting: true };
  t.is(shiftOfSize(flow, 4096), undefined);
  t.is(shiftOfSize(dynamic, 256), 0.5);
  t.is(shiftOfSize(dynamic, 4096), 1.15);
  t.true(Math.abs(shiftOfSize(dynamic, 64)! - 0.4675) < 1e-12);
  const even = createSampler(dynamic, { steps: 8, shift: { mu: 0.4675, even: true } });
  t.true(Math.abs(even.timesteps.at(-1)! - 185.6677) < 1e-3);
});
