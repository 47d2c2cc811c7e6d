/** Temporary folders that are gone when the test process ends. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];

process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function tempFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `patchbay-${name}-`));
  folders.push(folder);
  return folder;
}
