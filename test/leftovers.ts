/** `npm test` ends with this: nothing that the tests started or wrote may be left on the machine. */

import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { commandOf } from './helpers/descendants.js';
import { until } from './helpers/until.js';

const runtime = fileURLToPath(new URL('../runtime/', import.meta.url));

/** Processes of the runtime in this very checkout. */
const processes = (): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => `${pid} ${commandOf(Number(pid))}`)
    .filter((line) => line.includes(runtime));

const folders = (): readonly string[] =>
  [tmpdir(), '/dev/shm'].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.startsWith('patchbay-'))
      .map((name) => `${folder}/${name}`),
  );

try {
  await until('nothing is left', () => processes().length + folders().length === 0, 5_000);
} catch {
  console.error(['Left behind by the tests:', ...processes(), ...folders()].join('\n  '));
  process.exitCode = 1;
}
