/** Where the head that is started here keeps its cluster: a folder, a server, or nowhere. */

import { join } from 'node:path';
import { RuntimeError } from '../errors.js';
import type { Journal } from '../head/journal.js';
import { LmdbJournal } from '../head/lmdb-journal.js';
import { RedisJournal } from '../head/redis-journal.js';
import type { Logger } from '../log.js';
import { homeFolder } from '../token.js';

export interface JournalOptions {
  /** `false` for `--no-journal`. */
  readonly journal?: string | boolean;
  readonly fresh?: boolean;
}

export const journalFolder = (port: number | string): string =>
  join(homeFolder(), 'journal', String(port));

/** A port that is chosen anew each time is of no use to a head that comes back. */
export async function openJournal(
  { journal = process.env['PATCHBAY_JOURNAL'] || true, fresh = false }: JournalOptions,
  port: number,
  log: Logger,
): Promise<Journal | undefined> {
  if (journal === false || (port === 0 && journal === true)) return undefined;
  const place = journal === true ? journalFolder(port) : journal;
  if (/^rediss?:/.test(place)) {
    return RedisJournal.open(place, { fresh, warn: (text) => log.warn(text) });
  }
  if (/^\w+:\/\//.test(place)) {
    throw new RuntimeError(
      'E_OPTION',
      '--journal is a folder, or begins with redis:// or rediss://',
    );
  }
  return LmdbJournal.open(place, { fresh });
}
