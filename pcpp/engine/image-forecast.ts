/** How an image is split and what its devices will tell each other, before they do. */

import type { PlanSpan } from '../partition/border-rules.js';
import { type Forecast, forecastBytes, forecastFresh, forecastHalves } from '../partition/bytes.js';
import type { GenerationSettings } from './generation-settings.js';

export interface ImageForecast {
  /** Patch i owns latent rows [bounds[i], bounds[i + 1]). */
  readonly bounds: readonly number[];
  /**
   * Bytes of a step by the plan, and of the same plan in DistriFusion mode; of the first displaced steps, where border rules
   * change it later. Absent where devices tell each other nothing.
   */
  readonly forecast?: Forecast;
  /** Where border rules change it: what holds for the borders that are read in the steps from `from` on, in order. */
  readonly forecasts?: readonly ForecastSpan[];
}

export interface ForecastSpan {
  /** 0-based step; the first message of the span is read here, a key frame where the wire has such. */
  readonly from: number;
  readonly forecast: Forecast;
}

/** @param spans None if one patch is the whole image. */
export function imageForecast(
  settings: GenerationSettings,
  spans: readonly PlanSpan[],
): ImageForecast {
  const { height } = settings.latent;
  const bounds = spans[0]?.plan.bounds ?? [0, height];
  const [first, ...more] = forecastsOf(settings, spans, bounds);
  if (!first) return { bounds };
  const { forecast } = first;
  return { bounds, forecast, ...(more.length > 0 ? { forecasts: [first, ...more] } : {}) };
}

function forecastsOf(
  settings: GenerationSettings,
  spans: readonly PlanSpan[],
  bounds: readonly number[],
): readonly ForecastSpan[] {
  const { mode, warmupSteps, evaluations, cfgParallel, latent } = settings;
  const rowValues = latent.channels * latent.width;
  if (spans.length === 0) {
    return cfgParallel ? [{ from: 0, forecast: forecastHalves(bounds, rowValues) }] : [];
  }
  if (mode !== 'sync' && warmupSteps === evaluations) return [];
  return spans.map(({ from, plan }) => {
    const own = mode === 'sync' ? forecastFresh(plan) : forecastBytes(plan);
    return { from, forecast: cfgParallel ? forecastHalves(bounds, rowValues, own) : own };
  });
}
