/** Which image sizes a model can make. */

import { PcppError } from '../errors.js';

/**
 * @param width Pixels.
 * @param height Pixels.
 * @param multiple Both must be divisible by it.
 * @param limit Neither may be larger. @default any size
 * @throws PcppError `E_SIZE` naming the nearest sizes that are.
 */
export function requireSize(
  width: number,
  height: number,
  multiple: number,
  limit: number = Number.POSITIVE_INFINITY,
): void {
  if (Math.max(width, height) > limit) {
    throw new PcppError(
      'E_SIZE',
      `the model knows positions up to ${limit} pixels a side, got ${width}x${height}`,
    );
  }
  const wrong = [width, height].some((side) => !Number.isInteger(side / multiple) || side <= 0);
  if (!wrong) return;
  const sizes = new Set(
    [Math.floor, Math.ceil].map((round) => {
      const fitted = (side: number): number => Math.max(1, round(side / multiple)) * multiple;
      return `${fitted(width)}x${fitted(height)}`;
    }),
  );
  throw new PcppError(
    'E_SIZE',
    `width and height must be divisible by ${multiple}, got ${width}x${height}; nearest: ${[...sizes].join(', ')}`,
  );
}
