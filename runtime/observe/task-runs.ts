/** Runs of functions as tasks, one by one: what runs, and what has ended lately. */

import type { HostTrace, TaskRun } from './reports.js';

/** Asked for at once. */
export const maxRuns = 10_000;

/** The last runs of a host, without the name of its node. */
export function endedRuns(trace: HostTrace, limit: number): readonly TaskRun[] {
  const calls = [...trace.start.keys()].filter((at) => trace.part[at] === 0);
  return calls.slice(-limit).map((at) => ({
    name: trace.names[trace.name[at]!]!,
    phase: trace.failed[at] ? 'failed' : 'finished',
    worker: trace.actor,
    node: '',
    start: trace.start[at]!,
    ms: trace.ms[at]!,
  }));
}

/** What runs first, then what began last. */
export const newestRuns = (runs: readonly TaskRun[], limit: number): readonly TaskRun[] =>
  runs
    .toSorted((a, b) => Number(isRunning(b)) - Number(isRunning(a)) || b.start - a.start)
    .slice(0, limit);

const isRunning = ({ phase }: TaskRun): boolean => phase === 'running';
