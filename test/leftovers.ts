/**
 * `npm test` begins with `leftovers.js note` and ends with `leftovers.js check`: nothing that the tests started or wrote
 * may be left on the machine. What was there before is none of its business.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

const noteFile = new URL('./leftovers.json', import.meta.url);
const present = (): readonly string[] => [...processes(), ...folders()];

async function check(): Promise<void> {
  const before = new Set(JSON.parse(readFileSync(noteFile, 'utf8')) as readonly string[]);
  const left = (): readonly string[] => present().filter((entry) => !before.has(entry));
  try {
    await until('nothing is left', () => left().length === 0, 5_000);
  } catch {
    console.error(['Left behind by the tests:', ...left()].join('\n  '));
    process.exitCode = 1;
  }
}

if (process.argv[2] === 'note') writeFileSync(noteFile, JSON.stringify(present()));
else await check();
