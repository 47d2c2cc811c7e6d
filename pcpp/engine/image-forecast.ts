/** How an image is split and what its devices will tell each other, before they do. */

import type { PlanPeriod } from '../partition/border-rules.js';
import {
  type CooldownTraffic,
  type Forecast,
  forecastBytes,
  forecastCooldown,
  forecastCooldownHalves,
  forecastFresh,
  forecastHalves,
  forecastTurns,
} from '../partition/bytes.js';
import type { GenerationSettings } from './generation-settings.js';
import { wholeSteps } from './step-kind.js';

export interface ImageForecast {
  /** Patch i owns latent rows [bounds[i], bounds[i + 1]). */
  readonly bounds: readonly number[];
  /**
   * Bytes of a step by the plan, and of the same plan in DistriFusion mode; of the first displaced steps, where border rules
   * change it later. Twice as many in warm-up steps that patches compute. Absent where devices tell each other nothing.
   */
  readonly forecast?: Forecast;
  /** Where border rules change it: what holds for the borders that are read in the steps from `from` on, in order. */
  readonly forecasts?: readonly ForecastPeriod[];
  /** If there is one. */
  readonly cooldown?: CooldownTraffic;
}

export interface ForecastPeriod {
  /** 0-based step; the first message of the period is read here, a key frame where the wire has such. */
  readonly from: number;
  readonly forecast: Forecast;
}

/** @param periods None if one patch is the whole image. */
export function imageForecast(
  settings: GenerationSettings,
  periods: readonly PlanPeriod[],
): ImageForecast {
  const plan = periods[0]?.plan;
  const bounds = plan?.bounds ?? [0, settings.latent.height];
  const [first, ...more] = forecastsOf(settings, periods, bounds);
  if (!first) return { bounds };
  const { forecast } = first;
  const cooldownOf = settings.cfgParallel ? forecastCooldownHalves : forecastCooldown;
  return {
    bounds,
    forecast,
    ...(more.length > 0 ? { forecasts: [first, ...more] } : {}),
    ...(plan && settings.cooldownSteps > 0 ? { cooldown: cooldownOf(plan) } : {}),
  };
}

function forecastsOf(
  settings: GenerationSettings,
  periods: readonly PlanPeriod[],
  bounds: readonly number[],
): readonly ForecastPeriod[] {
  const { mode, evaluations, cfgParallel, cfgInterleaved, latent } = settings;
  const rowValues = latent.channels * latent.width;
  if (periods.length === 0) {
    return cfgParallel ? [{ from: 0, forecast: forecastHalves(bounds, rowValues) }] : [];
  }
  if (mode !== 'sync' && wholeSteps(settings) === evaluations) return [];
  const bytesOf = mode === 'sync' ? forecastFresh : cfgInterleaved ? forecastTurns : forecastBytes;
  return periods.map(({ from, plan }) => {
    const own = bytesOf(plan);
    return { from, forecast: cfgParallel ? forecastHalves(bounds, rowValues, own) : own };
  });
}
