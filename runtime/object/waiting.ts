/** Waiting for several objects at once. */

import { RuntimeError } from '../errors.js';
import type { ObjectRef } from './object-ref.js';

export interface WaitOptions {
  /** How many must be there. @default 1 */
  readonly count?: number;
  /** Come back after this long with what is there. @default never */
  readonly timeoutMs?: number;
}

export interface Waited<T> {
  readonly ready: readonly ObjectRef<T>[];
  readonly pending: readonly ObjectRef<T>[];
}

/** All values, in order. @throws RuntimeError `E_TIMEOUT`, or the error of the first that fails. */
export async function getAll<T>(refs: readonly ObjectRef<T>[], timeoutMs?: number): Promise<T[]> {
  const all = Promise.all(refs);
  if (timeoutMs === undefined) return all;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const missing = refs.filter(({ isSettled }) => !isSettled).length;
      const text = `${missing} of ${refs.length} objects were not there within ${timeoutMs} ms`;
      reject(new RuntimeError('E_TIMEOUT', text));
    }, timeoutMs);
  });
  return Promise.race([all, late]).finally(() => clearTimeout(timer));
}

/** Which refs are settled, once `count` are or the time is up. Nothing is cancelled. */
export function waitFor<T>(
  refs: readonly ObjectRef<T>[],
  { count = 1, timeoutMs }: WaitOptions,
): Promise<Waited<T>> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let settled = 0;
    const done = (): void => {
      clearTimeout(timer);
      const ready = refs.filter(({ isSettled }) => isSettled);
      resolve({ ready, pending: refs.filter(({ isSettled }) => !isSettled) });
    };
    const one = (): void => {
      settled++;
      if (settled === Math.min(count, refs.length)) done();
    };
    if (timeoutMs !== undefined) timer = setTimeout(done, timeoutMs);
    if (refs.length === 0 || count <= 0) done();
    // Whether it is there, not what it is: nothing is fetched.
    for (const ref of refs) ref.settled().then(one, one);
  });
}
