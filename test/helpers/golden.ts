/** Where the golden data of the real diffusers library lies; its README there explains every file. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../test/fixtures/golden/', import.meta.url);

/** The path of a file or folder of the golden data. */
export const goldenPath = (path: string): string => fileURLToPath(new URL(path, root));

/** A manifest of the golden data; the caller names the part of its shape that it reads. */
export const goldenJson = <T>(path: string): T =>
  JSON.parse(readFileSync(goldenPath(path), 'utf8')) as T;

/** The model that ships with the project. */
export const scenesPath: string = fileURLToPath(
  new URL('../../../examples/models/scenes', import.meta.url),
);

/** The largest absolute difference of two equally long lists. */
export function maxAbsDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  let largest = 0;
  for (let k = 0; k < a.length; k++) largest = Math.max(largest, Math.abs(a[k]! - b[k]!));
  return largest;
}
