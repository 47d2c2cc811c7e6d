/** Rates over windows of time, and what processes used meanwhile, as the kernel counts it. */

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { descendantsOf } from '../helpers/descendants.js';

/** A benchmark that is set up. */
export interface Item extends AsyncDisposable {
  /** Does `operations` of them. */
  readonly run: () => Promise<unknown>;
  readonly operations: number;
  /** Before each run and not part of its time. @default 0 */
  readonly restMs?: number;
}

export interface Window {
  readonly operations: number;
  readonly seconds: number;
  /** Of all processes of the cluster and the program that uses it. */
  readonly cpuSeconds: number;
}

/** Of the kernel's clock, which `/proc` counts in. */
const ticksPerSecond = 100;

/** Processes below `root` and itself, without those below `without`. */
export function processesOf(root: number, without: readonly number[] = []): readonly number[] {
  const left = new Set(without.flatMap((pid) => [pid, ...descendantsOf(pid)]));
  return [root, ...descendantsOf(root)].filter((pid) => !left.has(pid));
}

/** User and system time so far, by process. */
export function cpuSeconds(pids: readonly number[]): ReadonlyMap<number, number> {
  return new Map(
    pids.flatMap((pid): [number, number][] => {
      const stat = contentOf(`/proc/${pid}/stat`);
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return stat ? [[pid, (Number(fields[11]) + Number(fields[12])) / ticksPerSecond]] : [];
    }),
  );
}

/** What those that still live have used since; of one that ended, nobody knows. */
export function cpuSince(before: ReadonlyMap<number, number>, pids: readonly number[]): number {
  let sum = 0;
  for (const [pid, seconds] of cpuSeconds(pids)) sum += seconds - (before.get(pid) ?? 0);
  return sum;
}

/** Proportional set size: memory that several share is counted once. */
export function memoryMib(pids: readonly number[]): number {
  const kib = pids.map((pid) => {
    const line = /^Pss: +(\d+) kB/m.exec(contentOf(`/proc/${pid}/smaps_rollup`));
    return Number(line?.[1] ?? 0);
  });
  return kib.reduce((sum, size) => sum + size, 0) / 1024;
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process has ended.
    return '';
  }
}

/** @param pids Read before and after. */
export async function windowOf(
  item: Item,
  seconds: number,
  pids: () => readonly number[],
): Promise<Window> {
  // What was at rest may have to be waked, as before a window of Ray's own benchmark.
  if (!item.restMs) await item.run();
  const cpuBefore = cpuSeconds(pids());
  const end = performance.now() + 1000 * seconds;
  let operations = 0;
  let tookMs = 0;
  while (performance.now() < end) {
    if (item.restMs) await pause(item.restMs);
    const began = performance.now();
    await item.run();
    tookMs += performance.now() - began;
    operations += item.operations;
  }
  return { operations, seconds: tookMs / 1000, cpuSeconds: cpuSince(cpuBefore, pids()) };
}

export interface Summary {
  /** Operations a second: mean and standard deviation over the windows. */
  readonly mean: number;
  readonly deviation: number;
  /** Microseconds of processor time for an operation, over all windows. */
  readonly cpuMicroseconds: number;
}

export function summaryOf(windows: readonly Window[]): Summary {
  const rates = windows.map(({ operations, seconds }) => operations / seconds);
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const spread = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0);
  const all = windows.reduce((sum, { operations }) => sum + operations, 0);
  const cpu = windows.reduce((sum, window) => sum + window.cpuSeconds, 0);
  const deviation = Math.sqrt(spread / Math.max(rates.length - 1, 1));
  return { mean, deviation, cpuMicroseconds: (1e6 * cpu) / all };
}

/** Three digits, with separators. */
export const inDigits = (value: number): string =>
  value >= 100
    ? Math.round(value).toLocaleString('en-US')
    : value.toPrecision(Math.min(3, value >= 1 ? 3 : 2));
