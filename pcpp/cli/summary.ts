/** What was made and what it cost, in a line or two. */

import type { GenerationResult } from '../engine/generation-job.js';
import { inBytes } from './progress-bar.js';

export function summary(file: string, result: GenerationResult): string {
  const { settings, bounds, forecast, denoiseMs, totalMs, steps } = result;
  const { width, height, mode, seed } = settings;
  const { cfgParallel } = settings;
  const devices = (bounds.length - 1) * (cfgParallel ? 2 : 1);
  const groups = cfgParallel ? ' in two groups' : '';
  const where = devices === 1 ? 'one device' : `${devices} devices${groups}`;
  const first = `${file}: ${width}x${height}, seed ${seed}, ${mode} on ${where}, ${seconds(denoiseMs)} for ${steps.length} steps, ${seconds(totalMs)} in all`;
  const telling = steps.filter(({ borderBytes }) => borderBytes > 0);
  const displaced = telling.filter(({ borderAge = 0 }) => borderAge > 0);
  const counted = displaced.length > 0 ? displaced : telling;
  if (!forecast || counted.length === 0) return first;
  const bytes = counted.reduce((sum, step) => sum + step.borderBytes, 0) / counted.length;
  const per = displaced.length > 0 ? 'displaced step' : 'step';
  const other = forecast.distrifusion.total;
  const share =
    mode === 'pcpp' && bytes < other
      ? `, ${percent(1 - bytes / other)} less than DistriFusion`
      : '';
  const late = steps.reduce((sum, { lateBorders }) => sum + lateBorders, 0);
  const missed = late > 0 ? `, ${late} were late` : '';
  const what = cfgParallel ? 'borders and guidance' : 'borders';
  return `${first}\n${what}: ${inBytes(bytes)} per ${per}${share}${missed}`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

export const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
