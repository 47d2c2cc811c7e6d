/** Chooses the sampler that a model or its user asks for. */

import { PcppError } from '../errors.js';
import { ddim } from './ddim.js';
import { dpmSolver } from './dpm-solver.js';
import { euler } from './euler.js';
import { eulerAncestral } from './euler-ancestral.js';
import { type FlowShift, flowMatchEuler } from './flow-match-euler.js';
import { lcm } from './lcm.js';
import { pndm } from './pndm.js';
import { type Sampler, type SamplerName, samplerNames, startingAt } from './sampler.js';
import type { SchedulerConfig } from './scheduler-config.js';

export interface SamplerOptions {
  /** Steps of the sampler; PNDM evaluates once more. More cost more time and change the picture less and less. */
  readonly steps: number;
  /** Takes the place of the scheduler class in the file, and keeps its noise schedule. @default the model's own */
  readonly name?: SamplerName;
  /** Steps left out at the start, for a walk that begins with an image. @default 0 */
  readonly skippedSteps?: number;
  /** Of flow models: what the size of the image does to the walk. @default nothing */
  readonly shift?: Partial<FlowShift>;
}

const namesOfClasses: Readonly<Record<string, SamplerName>> = {
  DDIMScheduler: 'ddim',
  PNDMScheduler: 'pndm',
  EulerDiscreteScheduler: 'euler',
  EulerAncestralDiscreteScheduler: 'euler-ancestral',
  DPMSolverMultistepScheduler: 'dpm-solver++',
  LCMScheduler: 'lcm',
  FlowMatchEulerDiscreteScheduler: 'flow-match-euler',
};

/**
 * @param config scheduler_config.json of the model.
 * @throws PcppError `E_MODEL_CONFIG` if the scheduler class or one of its settings is not supported,
 *   `E_OPTION` if the name does not exist or does not fit the model, or steps are out of range.
 */
export function createSampler(config: SchedulerConfig, options: SamplerOptions): Sampler {
  const { steps, skippedSteps = 0 } = options;
  const whole = wholeWalk(config, options);
  if (skippedSteps === 0) return whole;
  // PNDM evaluates its first steps three times between them, and only a walk from the start needs that.
  return startingAt(whole, skippedSteps + whole.timesteps.length - steps);
}

function wholeWalk(config: SchedulerConfig, options: SamplerOptions): Sampler {
  const name = samplerNameOf(config, options.name);
  switch (name) {
    case 'ddim':
      return ddim(config, options.steps);
    case 'pndm':
      return pndm(config, options.steps);
    case 'euler-ancestral':
      return eulerAncestral(config, options.steps);
    case 'dpm-solver++':
      return dpmSolver(config, options.steps);
    case 'lcm':
      return lcm(config, options.steps);
    case 'euler':
      return euler(config, options.steps);
    case 'flow-match-euler':
      return flowMatchEuler(config, options.steps, options.shift);
  }
}

/**
 * Which sampler a model will be run with.
 *
 * @param asked What the user chose, if anything.
 * @throws PcppError as `createSampler` does.
 */
export function samplerNameOf(config: SchedulerConfig, asked?: SamplerName): SamplerName {
  const className = String(config['_class_name']);
  const choices = choicesFor(config);
  if (asked === undefined) {
    const name = namesOfClasses[className];
    if (name) return name;
    throw new PcppError(
      'E_MODEL_CONFIG',
      `the model names the scheduler ${className}, which is not supported; choose a sampler: ${spell(choices)}`,
    );
  }
  if (!samplerNames.includes(asked)) {
    throw new PcppError(
      'E_OPTION',
      `there is no sampler ${JSON.stringify(asked)}; for this model: ${spell(choices)}`,
    );
  }
  if (!choices.includes(asked)) {
    throw new PcppError(
      'E_OPTION',
      `sampler ${asked} does not fit a model trained for ${className}; for this model: ${spell(choices)}`,
    );
  }
  return asked;
}

/** A velocity is no noise: flow models and noise-schedule models cannot swap samplers. */
function choicesFor(config: SchedulerConfig): readonly SamplerName[] {
  const flow =
    String(config['_class_name']).startsWith('FlowMatch') ||
    config['prediction_type'] === 'flow_prediction';
  return samplerNames.filter((name) => (name === 'flow-match-euler') === flow);
}

const spell = (names: readonly SamplerName[]): string =>
  names.map((name) => `--sampler ${name}`).join(', ');
