/** What processes use, as the kernel tells it; nothing where there is no /proc. */

import { readFileSync } from 'node:fs';

export interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** Linux counts processor time in hundredths of a second, whatever its own clock. */
const ticksPerSecond = 100;

/** Undefined for a process that is gone. */
export function usageOf(pid: number): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { cpuSeconds: ticks / ticksPerSecond, rssBytes: Number(rss?.[1] ?? 0) * 1024 };
  } catch {
    return undefined;
  }
}

/** Resident memory that is the process's own, in bytes: what it shares with others would count once for each. */
export function memoryOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024;
    return bytes('VmRSS') - bytes('RssShmem');
  } catch {
    return undefined;
  }
}

/** Processor time of a changing set of processes, which never falls: that of the dead counts as it was last seen. */
export class UsageSum {
  readonly #last = new Map<number, number>();
  #gone = 0;

  sample(pids: Iterable<number>, read: (pid: number) => Usage | undefined = usageOf): Usage {
    const living = new Set(pids);
    for (const [pid, seconds] of this.#last) {
      if (living.has(pid)) continue;
      this.#gone += seconds;
      this.#last.delete(pid);
    }
    let rssBytes = 0;
    for (const pid of living) {
      const usage = read(pid);
      if (!usage) continue;
      this.#last.set(pid, usage.cpuSeconds);
      rssBytes += usage.rssBytes;
    }
    const cpuSeconds = [...this.#last.values()].reduce((sum, seconds) => sum + seconds, this.#gone);
    return { cpuSeconds, rssBytes };
  }
}
