/**
 * A store's folder under /dev/shm, named after the process it belongs to and when that began. What a process left that was
 * killed is removed by the next store that starts on the machine.
 */

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { nanoid } from 'nanoid';
import { startTime } from '../start-time.js';
import { isUnlocked } from './shared-memory.js';

/** Where shared memory is, unless PATCHBAY_SHARED_MEMORY names another folder of that kind. */
export function sharedRoot(): string {
  const named = process.env['PATCHBAY_SHARED_MEMORY'];
  return named && named !== 'off' ? named : '/dev/shm';
}

export const memoryName = 'memory';

const ownName = (): string => `${process.pid}-${startTime(process.pid)}-${nanoid(6)}`;

/** Not made yet. */
export const newStoreFolder = (): string => join(sharedRoot(), `patchbay-store-${ownName()}`);

export const isStoreFolder = (folder: string): boolean =>
  dirname(folder) === sharedRoot() && /^patchbay-store-[\w-]+$/.test(basename(folder));

/** For what a driver's store has on disk; not made yet. */
export const newSpillFolder = (): string => join(tmpdir(), `patchbay-spill-${ownName()}`);

export function makeStoreFolder(folder: string): void {
  mkdirSync(folder, { mode: 0o700 });
}

export const removeStoreFolder = (folder: string): void =>
  rmSync(folder, { recursive: true, force: true });

/** Remove what dead processes left. */
export function sweepStoreFolders(): void {
  for (const root of [sharedRoot(), tmpdir()]) {
    for (const name of namesIn(root)) {
      const [, pid, started] = /^patchbay-(?:store|spill)-(\d+)-(\d+)-/.exec(name) ?? [];
      if (pid === undefined || startTime(Number(pid)) === started) continue;
      const folder = join(root, name);
      // A process of another container that shares this memory has a pid that means nothing here, but it holds its lock.
      if (!isUnlocked(join(folder, memoryName))) continue;
      try {
        removeStoreFolder(folder);
      } catch {
        // Somebody else's: it is theirs to remove.
      }
    }
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
