/** When a process began: a pid alone may be another process by now. */

import { readFileSync } from 'node:fs';

export interface StartedProcess {
  readonly pid: number;
  /** Tells the process from a later one with the same pid. */
  readonly startedAt: string;
}

/** Field 22 of /proc/PID/stat, counted after the parenthesised name; empty for a process that is gone or a zombie. */
export function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

/** Whether it still runs. */
export const isSameProcess = ({ pid, startedAt }: StartedProcess): boolean =>
  startedAt !== '' && startTime(pid) === startedAt;
