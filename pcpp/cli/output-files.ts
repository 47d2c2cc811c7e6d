/** The files that pictures are written to. */

import { closeSync, existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { PcppError } from '../errors.js';

/**
 * One file, or `boat-1.png`, `boat-2.png` and so on.
 *
 * @throws PcppError `E_OPTION` if they are no number of images, or cannot be written.
 */
export function outputFiles(output: string, images = 1): readonly string[] {
  if (!Number.isInteger(images) || images < 1 || images > 1000) {
    throw new PcppError('E_OPTION', `images must be an integer in 1..1000, got ${images}`);
  }
  const file = resolve(output);
  if (images === 1) return [writable(file)];
  const ending = extname(file);
  const stem = file.slice(0, file.length - ending.length);
  return Array.from({ length: images }, (_, index) => writable(`${stem}-${index + 1}${ending}`));
}

/** Found out before minutes of computing, not after. @throws PcppError `E_OPTION` */
function writable(file: string): string {
  const isNew = !existsSync(file);
  try {
    mkdirSync(dirname(file), { recursive: true });
    closeSync(openSync(file, 'a'));
    if (isNew) rmSync(file);
    return file;
  } catch (cause) {
    throw new PcppError('E_OPTION', `cannot write ${file}: ${String(cause)}`, { cause });
  }
}
