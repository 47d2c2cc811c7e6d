import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type Journal, MemoryJournal } from '../../../runtime/head/journal.js';
import { LmdbJournal } from '../../../runtime/head/lmdb-journal.js';
import { encodingContract, journalContract, sorted } from '../../helpers/journal-contract.js';
import { tempFolder } from '../../helpers/temp-folder.js';

const newFolder = (): string => tempFolder('journal');
/** Opens the same journal each time. */
const kinds: Readonly<Record<string, () => () => Promise<Journal>>> = {
  memory: () => {
    const journal = new MemoryJournal();
    return () => Promise.resolve(journal);
  },
  lmdb: () => {
    const folder = newFolder();
    return () => LmdbJournal.open(folder);
  },
};

for (const [kind, newPlace] of Object.entries(kinds)) journalContract(kind, newPlace);
encodingContract('lmdb', kinds['lmdb']!);

test('lmdb: what was written outlives a process that is killed, which leaves no lock', async (t) => {
  const folder = newFolder();
  const script = fileURLToPath(new URL('../../fixtures/journal-writer.js', import.meta.url));
  const writer = spawn(process.execPath, [script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(writer.stdout, 'data');
  await t.throwsAsync(LmdbJournal.open(folder), {
    code: 'E_JOURNAL',
    message: new RegExp(`in use by process ${writer.pid}`),
  });
  await t.throwsAsync(LmdbJournal.open(folder, { fresh: true }), { code: 'E_JOURNAL' });
  const exited = once(writer, 'exit');
  writer.kill('SIGKILL');
  await exited;
  const journal = await LmdbJournal.open(folder);
  t.deepEqual(await sorted(journal), [['actor/1', { alive: true }]]);
  await journal.close();
  const fresh = await LmdbJournal.open(folder, { fresh: true });
  t.deepEqual(await sorted(fresh), []);
  await fresh.remove();
  t.false(existsSync(folder));
});

test('lmdb: a damaged file is told from a good one, and can be forgotten', async (t) => {
  const damages: readonly ((file: string) => void)[] = [
    (file) => writeFileSync(file, 'garbage '.repeat(4_000)),
    (file) => truncateSync(file, 8_192),
    (file) => {
      const bytes = readFileSync(file);
      for (let at = 0; at < 8_192; at += 7) bytes[at]! ^= 0x55;
      writeFileSync(file, bytes);
    },
  ];
  for (const damage of damages) {
    const folder = newFolder();
    const journal = await LmdbJournal.open(folder);
    const rows = Array.from({ length: 1_000 }, (_, at) => ({ key: `k${at}`, value: `v${at}` }));
    await journal.write(rows);
    await journal.close();
    damage(join(folder, 'data.mdb'));
    await t.throwsAsync(LmdbJournal.open(folder), {
      code: 'E_JOURNAL',
      message: /its file is damaged .*--fresh/,
    });
    const fresh = await LmdbJournal.open(folder, { fresh: true });
    t.deepEqual(await sorted(fresh), []);
    await fresh.remove();
  }
});

test('lmdb: the name of a folder may have a dot', async (t) => {
  const folder = join(newFolder(), 'head.example');
  const journal = await LmdbJournal.open(folder);
  await journal.write([{ key: 'a', value: 1 }]);
  await journal.close();
  t.true(existsSync(join(folder, 'data.mdb')));
  const again = await LmdbJournal.open(folder);
  t.deepEqual(await sorted(again), [['a', 1]]);
  await again.remove();
});

test('lmdb: a folder that cannot be one is an E_JOURNAL, and other files in it are left alone', async (t) => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await t.throwsAsync(LmdbJournal.open(file), { code: 'E_JOURNAL' });
  await t.throwsAsync(LmdbJournal.open(join(file, 'below')), { code: 'E_JOURNAL' });
  const journal = await LmdbJournal.open(folder);
  await journal.remove();
  t.deepEqual(readdirSync(folder), ['file']);
});
