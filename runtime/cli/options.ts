/** Options that several commands share. */

import { readFileSync } from 'node:fs';
import { messageOf, RuntimeError } from '../errors.js';
import { tokenFile } from '../token.js';

/** @throws RuntimeError `E_TOKEN` saying where a token is looked for. */
export function readToken(file?: string): string {
  const token = process.env['PATCHBAY_TOKEN'];
  if (token && file === undefined) return token;
  const path = file ?? tokenFile();
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const text = `no token: give --token-file, set PATCHBAY_TOKEN, or copy the head's token to ${tokenFile()} (${messageOf(cause)})`;
    throw new RuntimeError('E_TOKEN', text, { cause });
  }
}
