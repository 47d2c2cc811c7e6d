/** What runs on this machine: one file for each head or node that was started here by hand. */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { isSameProcess, type StartedProcess, startTime } from '../start-time.js';
import { homeFolder } from '../token.js';

export interface MachineEntry extends StartedProcess {
  readonly role: 'head' | 'node';
  readonly name: string;
}

const schema: z.ZodType<MachineEntry> = z.object({
  pid: z.int().positive(),
  startedAt: z.string(),
  role: z.enum(['head', 'node']),
  name: z.string(),
});

const folder = (): string => join(homeFolder(), 'run');
const fileOf = (pid: number): string => join(folder(), `${pid}.json`);

/** Note this process; the returned function forgets it again. */
export function enlist(role: MachineEntry['role'], name: string): () => void {
  mkdirSync(folder(), { recursive: true, mode: 0o700 });
  const entry: MachineEntry = { pid: process.pid, startedAt: startTime(process.pid), role, name };
  writeFileSync(fileOf(process.pid), JSON.stringify(entry), { mode: 0o600 });
  return () => rmSync(fileOf(process.pid), { force: true });
}

/** Those that still run; notes of processes that are gone are removed. */
export function enlisted(): readonly MachineEntry[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder());
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(folder(), name);
    const entry = readEntry(path);
    if (entry && isSameProcess(entry)) return [entry];
    rmSync(path, { force: true });
    return [];
  });
}

function readEntry(path: string): MachineEntry | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}
