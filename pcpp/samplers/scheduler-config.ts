/** Reads scheduler_config.json as diffusers writes it, and refuses by name what is not supported. */

import * as z from 'zod';
import { PcppError } from '../errors.js';
import type { BetaSchedule, NoiseSchedule, TimestepSpacing } from './schedule.js';

/** scheduler_config.json as it was parsed, with diffusers' own names. */
export type SchedulerConfig = Readonly<Record<string, unknown>>;

/** What a denoiser trained on a noise schedule predicts. */
export type Prediction = 'epsilon' | 'v_prediction';

/** What the samplers of noise-schedule models need. */
export interface DiscreteSettings {
  readonly schedule: NoiseSchedule;
  readonly prediction: Prediction;
  readonly spacing: TimestepSpacing;
  /** Added to the timesteps of the leading spacing. */
  readonly stepsOffset: number;
}

const betaSchedules: readonly BetaSchedule[] = ['linear', 'scaled_linear', 'squaredcos_cap_v2'];
const spacings: readonly TimestepSpacing[] = ['leading', 'trailing', 'linspace'];
const predictions: readonly Prediction[] = ['epsilon', 'v_prediction'];

const discrete = z.looseObject({
  num_train_timesteps: z.int().min(1).default(1000),
  beta_start: z.number().default(0.0001),
  beta_end: z.number().default(0.02),
  beta_schedule: z.enum(betaSchedules).default('linear'),
  trained_betas: z.array(z.number()).nullable().default(null),
  rescale_betas_zero_snr: z.boolean().default(false),
  prediction_type: z.enum(predictions).default('epsilon'),
  timestep_spacing: z.enum(spacings).optional(),
  steps_offset: z.int().min(0).default(0),
});

/**
 * The settings that all schedulers of noise-schedule models share, so that a sampler chosen by name keeps the betas,
 * spacing and prediction type of the model's own scheduler, as `from_config` of diffusers does.
 *
 * @param defaultSpacing The spacing of the scheduler class where the file names none.
 * @throws PcppError `E_MODEL_CONFIG` naming the field and what is supported.
 */
export function discreteSettings(
  config: SchedulerConfig,
  defaultSpacing: TimestepSpacing,
): DiscreteSettings {
  const values = parseScheduler(discrete, config);
  const trained = values.trained_betas;
  return {
    schedule: {
      trainSteps: trained?.length ?? values.num_train_timesteps,
      betaStart: values.beta_start,
      betaEnd: values.beta_end,
      betaSchedule: values.beta_schedule,
      trainedBetas: trained,
      zeroTerminalSnr: values.rescale_betas_zero_snr,
    },
    prediction: values.prediction_type,
    spacing: values.timestep_spacing ?? defaultSpacing,
    stepsOffset: values.steps_offset,
  };
}

/** @throws PcppError `E_MODEL_CONFIG` with every field that does not fit. */
export function parseScheduler<T>(schema: z.ZodType<T>, config: SchedulerConfig): T {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new PcppError('E_MODEL_CONFIG', `scheduler_config.json: ${issues.join('; ')}`);
}

/**
 * Refuses switches that would silently change the picture if they were ignored.
 *
 * @param names Fields that must be absent, null or false.
 * @throws PcppError `E_MODEL_CONFIG` naming the first one that is set.
 */
export function refuse(config: SchedulerConfig, names: readonly string[]): void {
  const found = names.find(
    (name) => config[name] !== undefined && config[name] !== null && config[name] !== false,
  );
  if (found) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      `scheduler_config.json: ${found} ${JSON.stringify(config[found])} is not supported; set it to false, or choose another sampler with --sampler`,
    );
  }
}
