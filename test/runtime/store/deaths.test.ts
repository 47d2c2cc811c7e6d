/** What processes leave in shared memory that are killed. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { connect } from '../../../runtime/index.js';
import { makeLockedFolder, sweepStoreFolders } from '../../../runtime/store/store-folder.js';
import { length, openStored } from '../../helpers/stored.js';
import { tempFolder } from '../../helpers/temp-folder.js';
import { until } from '../../helpers/until.js';

const driver = new URL('../../fixtures/actors/store-driver.js', import.meta.url);

const foldersOf = (pid: number): readonly string[] =>
  ['/dev/shm', tmpdir()].flatMap((root) =>
    readdirSync(root).filter((name) => name.startsWith('patchbay-') && name.includes(`-${pid}-`)),
  );

test.serial('what a driver left that was killed goes when the next one starts', async (t) => {
  const { opened } = await openStored();
  await using _ = opened;
  const { address, token } = opened.local;
  const child = fork(driver, [address, token]);
  const [pid] = (await once(child, 'message')) as [number];
  t.is(foldersOf(pid).length, 2);
  // While it lives nobody touches them.
  sweepStoreFolders();
  t.is(foldersOf(pid).length, 2);
  const gone = once(child, 'exit');
  process.kill(pid, 'SIGKILL');
  await gone;
  t.is(foldersOf(pid).length, 2);
  const next = await connect({ address, token });
  t.deepEqual(foldersOf(pid), []);
  await next.close();
});

test.serial(
  'the guard of a killed agent removes its memory; who has it mapped reads on',
  async (t) => {
    const { opened, lib } = await openStored();
    await using _ = opened;
    const view = await lib.ramp(length);
    const [agent] = opened.agents;
    t.is(foldersOf(agent!).length, 2);
    process.kill(agent!, 'SIGKILL');
    await until('the guard has removed its folders', () => foldersOf(agent!).length === 0);
    t.is(
      view.reduce((sum, n) => sum + n, 0),
      (length * (length - 1)) / 2,
    );
  },
);

test.serial('only what is named after a dead process, and is not locked, is removed', (t) => {
  const root = tempFolder('sweep');
  process.env['PATCHBAY_SHARED_MEMORY'] = root;
  try {
    for (const name of [
      'patchbay-store-x',
      'other',
      'patchbay-store-1-1-a',
      'patchbay-store-2-b',
    ]) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'memory'), 'm');
    }
    const others = ['other', 'patchbay-store-2-b', 'patchbay-store-x'];
    sweepStoreFolders();
    t.deepEqual(readdirSync(root).sort(), others);
    // In another container, where the pids are others, but this memory or this disk is shared.
    const spilled = ['patchbay-spill-1-1-c', 'patchbay-store-1-1-c'];
    const removers = spilled.map((name) => makeLockedFolder(join(root, name)));
    sweepStoreFolders();
    t.deepEqual(readdirSync(root).sort(), [...others, ...spilled].sort());
    for (const remove of removers) remove();
    t.deepEqual(readdirSync(root).sort(), others);
  } finally {
    delete process.env['PATCHBAY_SHARED_MEMORY'];
  }
});
