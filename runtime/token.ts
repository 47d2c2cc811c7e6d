/** The cluster's token: one random secret per user and machine, in a file that only its owner can read. */

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Folder for the token and for what runs on this machine. PATCHBAY_HOME overrides it. @default ~/.patchbay */
export const homeFolder = (): string =>
  process.env['PATCHBAY_HOME'] ?? join(homedir(), '.patchbay');

export const tokenFile = (): string => join(homeFolder(), 'token');

export const newToken = (): string => randomBytes(24).toString('base64url');

/** The token in the file, made with mode 600 if there is none. */
export function ensureToken(file: string = tokenFile()): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, `${newToken()}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  chmodSync(file, 0o600);
  return readFileSync(file, 'utf8').trim();
}
