/**
 * Resources as fixed-point quantities: integers in units of 1/10,000, so that ten times 0.1 GPU is exactly one
 * GPU. Names are free; `cpu` and `gpu` have a meaning of their own.
 */

import { RuntimeError } from './errors.js';

/** Amounts as people write them: `{ cpu: 1, gpu: 0.5 }`. */
export type Resources = Readonly<Record<string, number>>;

/** Amounts in units of 1/10,000; an absent name is zero. */
export type Quantities = Readonly<Record<string, number>>;

const scale = 10_000;

/** @throws RuntimeError `E_OPTION` for a negative, non-finite or too finely divided amount. */
export function toQuantities(resources: Resources): Quantities {
  const out: Record<string, number> = {};
  for (const [name, amount] of Object.entries(resources)) {
    const units = Math.round(amount * scale);
    if (!Number.isFinite(amount) || amount < 0 || Math.abs(units - amount * scale) > 1e-6) {
      throw new RuntimeError(
        'E_OPTION',
        `resource ${name}: ${amount} is not a non-negative multiple of 1/${scale}`,
      );
    }
    if (units > 0) out[name] = units;
  }
  return out;
}

export const toResources = (quantities: Quantities): Resources =>
  Object.fromEntries(Object.entries(quantities).map(([name, units]) => [name, units / scale]));

/** What `free` lacks for `need`, in words; empty if it fits. */
export function shortage(need: Quantities, free: Quantities): readonly string[] {
  return Object.entries(need)
    .filter(([name, units]) => units > (free[name] ?? 0))
    .map(([name, units]) => `needs ${units / scale} ${name}, has ${(free[name] ?? 0) / scale}`);
}

export const plus = (a: Quantities, b: Quantities): Quantities => combine(a, b, 1);
export const minus = (a: Quantities, b: Quantities): Quantities => combine(a, b, -1);

function combine(a: Quantities, b: Quantities, sign: 1 | -1): Quantities {
  const out: Record<string, number> = { ...a };
  for (const [name, units] of Object.entries(b)) out[name] = (out[name] ?? 0) + sign * units;
  return out;
}

/** Highest used fraction over all names that `total` has; 0 when idle, 1 when something is used up. */
export function utilisation(total: Quantities, free: Quantities): number {
  return Object.entries(total).reduce(
    (most, [name, units]) => (units > 0 ? Math.max(most, 1 - (free[name] ?? 0) / units) : most),
    0,
  );
}
