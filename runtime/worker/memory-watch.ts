/**
 * Keeps a node from running out of memory: ends hosts that hold more than they were given, and when the machine itself
 * runs short, one host at a time, those first that cost least to lose. Which ones is decided here; the agent ends them.
 */

import { readFileSync } from 'node:fs';
import { memoryOf, memoryOfGroup } from '../observe/process-usage.js';
import { machineSizes } from '../proc.js';
import type { Resources } from '../resources.js';

/** A host as the watch sees it. */
export interface WatchedHost {
  readonly pid: number;
  /** It leads a process group of which all counts. @default false */
  readonly isGroup?: boolean;
  /** What its actor was given; undefined if it was given no `memory`. */
  readonly limitBytes: number | undefined;
  /** What it is worth: one without an actor is started anew, one that can be retried only costs time. */
  readonly role: 'idle' | 'retriable' | 'unique';
  /** When its actor began, in any unit that grows. */
  readonly since: number;
}

export interface MachineMemory {
  readonly totalBytes: number;
  readonly usedBytes: number;
}

export interface MemoryWatchOptions {
  readonly hosts: () => readonly WatchedHost[];
  readonly kill: (pid: number, why: string) => void;
  /** Of one process, in bytes; undefined if it is gone. @default its resident memory without what it shares */
  readonly memoryOf?: (pid: number) => number | undefined;
  /** Of a process group, exact if that may be above `limit`. @default the same */
  readonly memoryOfGroup?: (group: number, limit: number) => number | undefined;
  /** @default the machine's, or the container's if that has less */
  readonly machine?: () => MachineMemory | undefined;
}

/** Ray looks as often. */
const lookMs = 250;
/** Of the machine's memory; above it a host is ended. */
const threshold = 0.95;
/** Memory of a host that was ended returns within this; the next one waits for it. */
const relieveMs = 2_000;

export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  readonly #last = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;
  #relieved = 0;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(performance.now()), lookMs);
    this.#timer.unref();
  }

  /** What a host held at the last look, in bytes. */
  lastOf(pid: number): number | undefined {
    return this.#last.get(pid);
  }

  look(now: number): void {
    const { hosts, kill, machine = machineMemory } = this.#options;
    const watched = hosts();
    this.#measure(watched);
    for (const { pid, limitBytes } of watched) {
      const bytes = this.#last.get(pid) ?? 0;
      if (limitBytes === undefined || bytes <= limitBytes) continue;
      kill(pid, `it held ${inGib(bytes)} of memory and was given ${inGib(limitBytes)}`);
    }
    const memory = machine();
    if (!memory || memory.usedBytes <= threshold * memory.totalBytes) return;
    if (now - this.#relieved < relieveMs) return;
    const victim = leastLoss(watched);
    if (!victim) return;
    this.#relieved = now;
    const held = inGib(this.#last.get(victim.pid) ?? this.#read(victim) ?? 0);
    const machineHolds = `${inGib(memory.usedBytes)} of ${inGib(memory.totalBytes)}`;
    kill(victim.pid, `the machine ran short of memory, ${machineHolds} in use; it held ${held}`);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #measure(watched: readonly WatchedHost[]): void {
    const living = new Set(watched.map(({ pid }) => pid));
    for (const pid of this.#last.keys()) if (!living.has(pid)) this.#last.delete(pid);
    for (const host of watched) {
      // To find the members of a group is not for nothing.
      const bytes = host.isGroup && host.limitBytes === undefined ? undefined : this.#read(host);
      if (bytes !== undefined) this.#last.set(host.pid, bytes);
    }
  }

  #read({ pid, isGroup, limitBytes = Number.POSITIVE_INFINITY }: WatchedHost): number | undefined {
    const { memoryOf: one = memoryOf, memoryOfGroup: all = memoryOfGroup } = this.#options;
    return isGroup ? all(pid, limitBytes) : one(pid);
  }
}

const order: readonly WatchedHost['role'][] = ['idle', 'retriable', 'unique'];

/** Idle hosts first, then what can be retried, the newest of its kind: it has done the least. */
export const leastLoss = (hosts: readonly WatchedHost[]): WatchedHost | undefined =>
  hosts.toSorted((a, b) => order.indexOf(a.role) - order.indexOf(b.role) || b.since - a.since)[0];

const gib = 1024 ** 3;

export const inGib = (bytes: number): string => `${(bytes / gib).toFixed(2)} GiB`;

/** What the kernel says, and the container's limit if it is lower; undefined where there is no /proc. */
export function machineMemory(): MachineMemory | undefined {
  const bytes = machineSizes();
  if (!bytes) return undefined;
  const totalBytes = bytes('MemTotal');
  return (
    containerMemory(totalBytes) ?? { totalBytes, usedBytes: totalBytes - bytes('MemAvailable') }
  );
}

function containerMemory(machineBytes: number): MachineMemory | undefined {
  try {
    const read = (name: string): string => readFileSync(`/sys/fs/cgroup/memory.${name}`, 'utf8');
    const totalBytes = Number(read('max'));
    if (!(totalBytes < machineBytes)) return undefined;
    // Pages of files that the kernel drops when memory is short.
    const cached = Number(/^inactive_file (\d+)$/m.exec(read('stat'))?.[1] ?? 0);
    return { totalBytes, usedBytes: Number(read('current')) - cached };
  } catch {
    return undefined;
  }
}

/** What a node offers of `memory` unless it is told otherwise: the machine's, in GiB. */
export function machineOffer(): Resources {
  const memory = machineMemory();
  return memory ? { memory: Math.floor((memory.totalBytes / gib) * 100) / 100 } : {};
}
