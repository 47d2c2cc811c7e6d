/** What processes use, as the kernel tells it; nothing where there is no /proc. */

import { membersOf, sharesOf, sizesOf, statOf } from '../proc.js';

export interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** Undefined for a process that is gone. */
export function usageOf(pid: number): Usage | undefined {
  const [stat, bytes] = [statOf(pid), sizesOf(pid)];
  return stat && bytes && { cpuSeconds: stat.cpuSeconds, rssBytes: bytes('VmRSS') };
}

/** Resident memory that is the process's own, in bytes: what it shares with others would count once for each. */
export function memoryOf(pid: number): number | undefined {
  const bytes = sizesOf(pid);
  return bytes && bytes('VmRSS') - bytes('RssShmem');
}

/**
 * The same of a whole process group, in bytes. What its processes share after a fork counts once; as that costs much to find out, it is
 * done only if the sum would be above `limit`.
 */
export function memoryOfGroup(group: number, limit: number): number | undefined {
  const members = membersOf(group);
  if (!members) return memoryOf(group);
  if (members.length === 0) return undefined;
  const sum = members.reduce((bytes, pid) => bytes + (memoryOf(pid) ?? 0), 0);
  if (sum <= limit) return sum;
  return members.reduce((bytes, pid) => bytes + (ownShareOf(pid) ?? memoryOf(pid) ?? 0), 0);
}

function ownShareOf(pid: number): number | undefined {
  const bytes = sharesOf(pid);
  return bytes && bytes('Pss') - bytes('Pss_Shmem');
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
