import { readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { SpillFolder } from '../../../runtime/store/spill.js';
import { tempFolder } from '../../helpers/temp-folder.js';

test('what is written is read back, whatever its key', async (t) => {
  const folder = join(tempFolder('spill'), 'made-on-use');
  const spill = new SpillFolder(folder);
  const bytes = Uint8Array.of(1, 2, 3);
  await spill.write('../../k', bytes);
  t.is(readdirSync(folder).length, 1);
  const into = new Uint8Array(3);
  await spill.read('../../k', into);
  t.deepEqual(into, bytes);
  await spill.remove('../../k');
  t.deepEqual(readdirSync(folder), []);
  spill.close();
});

test('a disk is left alone when it is 95 % full', async (t) => {
  const disk = { blocks: 1_000, bavail: 60, bsize: 1_000 };
  const folder = join(tempFolder('spill'), 's');
  const spill = new SpillFolder(folder, () => Promise.resolve(disk));
  await spill.write('a', new Uint8Array(9_000));
  await t.throwsAsync(spill.write('b', new Uint8Array(11_000)), {
    code: 'E_STORE_FULL',
    message: /is 95 % full: make room there/,
  });
  t.is(readdirSync(folder).length, 1);
});

test('a file that was cut short or removed is a lost object', async (t) => {
  const folder = tempFolder('spill');
  const spill = new SpillFolder(folder);
  await spill.write('a', Uint8Array.of(1, 2, 3));
  truncateSync(join(folder, readdirSync(folder)[0]!), 2);
  const lost = { code: 'E_OBJECT_LOST', message: /cannot be read back/ } as const;
  await t.throwsAsync(spill.read('a', new Uint8Array(3)), lost);
  await t.throwsAsync(spill.read('b', new Uint8Array(3)), lost);
});
