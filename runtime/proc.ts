/** What Linux tells in /proc; nothing where there is none, and nothing of a process that is gone. */

import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessStat {
  /** `R`, `S`, …; `Z` of one that is dead and whose parent has not looked yet. */
  readonly state: string;
  /** Its process group. */
  readonly group: number;
  /** Processor time, user and system. */
  readonly cpuSeconds: number;
  /** In ticks since the machine was started. */
  readonly startedAt: string;
}

/** Linux counts processor time in hundredths of a second, whatever its own clock. */
const ticksPerSecond = 100;

/** From /proc/PID/stat. A program's name, in parentheses, may hold anything. */
export function statOf(pid: number): ProcessStat | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // From the third field on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    state: fields[0]!,
    group: Number(fields[2]),
    cpuSeconds: ticks / ticksPerSecond,
    startedAt: fields[19]!,
  };
}

/** Of lines `Name:   12 kB`, as in /proc/PID/status and /proc/meminfo; 0 for a name that is not there. */
export type Sizes = (name: string) => number;

/** In bytes. */
export const sizesOf = (pid: number): Sizes | undefined => sizesIn(`/proc/${pid}/status`);

/** The same, with what it shares with others counted in proportion; costs much more. */
export const sharesOf = (pid: number): Sizes | undefined => sizesIn(`/proc/${pid}/smaps_rollup`);

/** Of the whole machine, in bytes. */
export const machineSizes = (): Sizes | undefined => sizesIn('/proc/meminfo');

function sizesIn(file: string): Sizes | undefined {
  const text = textOf(file);
  if (text === undefined) return undefined;
  return (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
}

/** Processes of a group, without zombies; undefined where nobody can tell. */
export function membersOf(group: number): readonly number[] | undefined {
  let names: readonly string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return undefined;
  }
  return names.flatMap((name) => {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    return stat?.group === group && stat.state !== 'Z' ? [pid] : [];
  });
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
