/** When a process began: a pid alone may be another process by now. */

import { statOf } from './proc.js';

export interface StartedProcess {
  readonly pid: number;
  /** Tells the process from a later one with the same pid. */
  readonly startedAt: string;
}

/** Empty for a process that is gone or a zombie. */
export function startTime(pid: number): string {
  const stat = statOf(pid);
  return stat && stat.state !== 'Z' ? stat.startedAt : '';
}

/** Whether it still runs. */
export const isSameProcess = ({ pid, startedAt }: StartedProcess): boolean =>
  startedAt !== '' && startTime(pid) === startedAt;
