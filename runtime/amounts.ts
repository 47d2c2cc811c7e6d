/** Resources as people read them. */

import type { Resources } from './resources.js';

/** `2 cpu, 0.5 gpu, 8 GiB memory`. */
export const amounts = (resources: Resources): string =>
  Object.entries(resources)
    .map(([name, units]) => `${round(units)} ${nameOf(name)}`)
    .join(', ');

/** `1/2 cpu, 0/8 GiB memory`: what is used, of what there is. */
export const usage = (total: Resources, free: Resources): string =>
  Object.entries(total)
    .map(([name, units]) => `${round(units - (free[name] ?? 0))}/${round(units)} ${nameOf(name)}`)
    .join(', ');

const nameOf = (resource: string): string => (resource === 'memory' ? 'GiB memory' : resource);

const round = (value: number): number => Math.round(value * 10_000) / 10_000;
