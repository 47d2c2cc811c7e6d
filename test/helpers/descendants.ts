/** Child processes as the kernel lists them. */

import { readdirSync, readFileSync } from 'node:fs';

/** Parent of every living process that is no zombie. */
function parents(): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] !== 'Z') found.set(Number(name), Number(fields[1]));
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** Children, grandchildren and so on of `pid`, parents first. */
export function descendantsOf(pid: number): readonly number[] {
  const all = parents();
  const found: number[] = [];
  let generation = [pid];
  while (generation.length > 0) {
    const above = new Set(generation);
    generation = [...all].filter(([, parent]) => above.has(parent)).map(([child]) => child);
    found.push(...generation);
  }
  return found;
}

export const isAlive = (pid: number): boolean => parents().has(pid);

/** The command line of a process, its arguments separated by blanks. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
