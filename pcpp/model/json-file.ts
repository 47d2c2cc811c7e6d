/** Reads the JSON files of a model directory; what cannot be read is an error that names the file. */

import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { PcppError } from '../errors.js';

/**
 * @throws PcppError `E_MODEL_DIR` if the file is missing, unreadable or not JSON.
 */
export function readJsonFile(path: string): unknown {
  const text = readTextFile(path);
  try {
    return JSON.parse(withoutBareNumbers(text));
  } catch (cause) {
    throw new PcppError(
      'E_MODEL_DIR',
      `${path} is not JSON (${wordsOf(cause)}); export or download the model again`,
      { cause },
    );
  }
}

/**
 * @throws PcppError `E_MODEL_DIR` if the file is missing or unreadable.
 */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new PcppError(
      'E_MODEL_DIR',
      `cannot read ${path} (${wordsOf(cause)}); a model directory is what optimum-cli export onnx writes, see docs/models.md`,
      { cause },
    );
  }
}

/**
 * @throws PcppError `E_MODEL_CONFIG` naming the file and every field that does not fit.
 */
export function parseFile<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    (issue) => `${issue.path.join('.') || 'file'}: ${issue.message}`,
  );
  throw new PcppError('E_MODEL_CONFIG', `${path}: ${issues.join('; ')}`);
}

/** Python writes infinities bare, which JSON forbids: they become strings. Strings are left alone. */
const withoutBareNumbers = (text: string): string =>
  text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (found) =>
    found.startsWith('"') ? found : `"${found}"`,
  );

const wordsOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause);
