/**
 * A journal in a folder, by LMDB. A write is in the system's page cache when it returns: it outlives the death of this
 * process at any moment, but not that of the machine, for nobody waits for the disk.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RootDatabase } from 'lmdb';
import * as z from 'zod';
import { messageOf, RuntimeError } from '../errors.js';
import { isSameProcess, startTime } from '../start-time.js';
import type { Change, Journal, Row } from './journal.js';

export interface LmdbJournalOptions {
  /** Forget what is there, damaged or not, unless a head that runs has it. @default false */
  readonly fresh?: boolean;
}

/** The one row that is about the journal itself: which process has it. LMDB lets any number in. */
const ownerKey = '!owner';
const ownerShape = z.object({ pid: z.int().positive(), startedAt: z.string() });

const files = ['data.mdb', 'lock.mdb'];

export class LmdbJournal implements Journal {
  readonly #folder: string;
  readonly #rows: RootDatabase<unknown, string>;

  private constructor(folder: string, rows: RootDatabase<unknown, string>) {
    this.#folder = folder;
    this.#rows = rows;
  }

  /**
   * @param folder Made if it is missing; may hold other files.
   * @throws RuntimeError `E_JOURNAL` if it is damaged, in use, or cannot be written.
   */
  static async open(folder: string, options: LmdbJournalOptions = {}): Promise<LmdbJournal> {
    const { fresh = false } = options;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const damage = existsSync(join(folder, files[0]!)) ? damageOf(folder) : undefined;
      if (damage !== undefined) {
        if (!fresh) throw new Error(`${damage}; start with --fresh to forget what it held`);
        for (const file of files) rmSync(join(folder, file), { force: true });
      }
      // Most processes never need a journal.
      const { open } = await import('lmdb');
      const rows: RootDatabase<unknown, string> = open({
        path: folder,
        noSync: true,
        // A name with a dot would be taken for that of a file.
        noSubdir: false,
      });
      // Constructor arguments are in it.
      for (const file of files) chmodSync(join(folder, file), 0o600);
      const journal = new LmdbJournal(folder, rows);
      try {
        journal.#take(fresh);
      } catch (error) {
        await rows.close();
        throw error;
      }
      return journal;
    } catch (cause) {
      throw new RuntimeError('E_JOURNAL', `journal ${folder}: ${messageOf(cause)}`, { cause });
    }
  }

  *rows(): Iterable<Row> {
    for (const { key, value } of this.#rows.getRange()) if (key !== ownerKey) yield { key, value };
  }

  write(changes: readonly Change[]): void {
    try {
      this.#rows.transactionSync(() => {
        for (const { key, value } of changes) {
          if (value === undefined) this.#rows.removeSync(key);
          else this.#rows.putSync(key, value);
        }
      });
    } catch (cause) {
      const text = `journal ${this.#folder} cannot be written: ${messageOf(cause)}`;
      throw new RuntimeError('E_JOURNAL', text, { cause });
    }
  }

  async close(): Promise<void> {
    this.#rows.removeSync(ownerKey);
    await this.#rows.close();
  }

  async remove(): Promise<void> {
    await this.#rows.close();
    for (const file of files) rmSync(join(this.#folder, file), { force: true });
    if (readdirSync(this.#folder).length === 0) rmdirSync(this.#folder);
  }

  /** One writer at a time, among all processes: of two that come at once the second finds the first. */
  #take(fresh: boolean): void {
    this.#rows.transactionSync(() => {
      const owner = ownerShape.safeParse(this.#rows.get(ownerKey));
      if (owner.success && isSameProcess(owner.data)) {
        throw new Error(`in use by process ${owner.data.pid}; stop it, or choose another folder`);
      }
      if (fresh) for (const key of [...this.#rows.getKeys()]) this.#rows.removeSync(key);
      this.#rows.putSync(ownerKey, { pid: process.pid, startedAt: startTime(process.pid) });
    });
  }
}

/** LMDB trusts its file, and a damaged one ends the process that reads it: a child reads it first. */
function damageOf(folder: string): string | undefined {
  const probe = fileURLToPath(new URL('./journal-probe.js', import.meta.url));
  const { error, status, signal, stderr } = spawnSync(process.execPath, [probe, folder], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status === 0) return undefined;
  // Nothing is known of the file then, and it must not be forgotten.
  if (error || signal === 'SIGKILL') {
    throw new Error(`cannot be looked at first: ${error?.message ?? 'that process was killed'}`);
  }
  return signal
    ? `its file is damaged (${signal} on reading it)`
    : `its file is damaged: ${stderr}`;
}
