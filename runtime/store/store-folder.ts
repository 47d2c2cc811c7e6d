/**
 * A store's folder under /dev/shm, named after the process it belongs to and when that began. What a process left that was
 * killed is removed by the next store that starts on the machine.
 */

import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { nanoid } from 'nanoid';
import { startTime } from '../start-time.js';
import { isUnlocked, lockFolder } from './shared-memory.js';

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

/**
 * Makes a folder that is locked as long as this process lives. It gets its name when it is: others who sweep at that moment must not take it for
 * one that was left.
 *
 * @returns Removes it.
 */
export function makeLockedFolder(folder: string): () => void {
  const nameless = join(dirname(folder), `.patchbay-new-${nanoid()}`);
  mkdirSync(nameless, { mode: 0o700 });
  let unlock: (() => void) | undefined;
  try {
    unlock = lockFolder(nameless);
    renameSync(nameless, folder);
  } catch (error) {
    unlock?.();
    removeFolder(nameless);
    throw error;
  }
  return () => {
    removeFolder(folder);
    unlock?.();
    unlock = undefined;
  };
}

const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** Remove what dead processes left. */
export function sweepStoreFolders(): void {
  for (const root of [sharedRoot(), tmpdir()]) {
    for (const name of namesIn(root)) {
      const [, pid, started] = /^patchbay-(?:store|spill)-(\d+)-(\d+)-/.exec(name) ?? [];
      if (pid === undefined || startTime(Number(pid)) === started) continue;
      const folder = join(root, name);
      // A process of another container that shares this memory has a pid that means nothing here, but it holds its lock.
      if (!isUnlocked(folder)) continue;
      try {
        removeFolder(folder);
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
