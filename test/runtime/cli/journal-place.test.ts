import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import pino from 'pino';
import { openJournal } from '../../../runtime/cli/journal-place.js';
import { tempFolder } from '../../helpers/temp-folder.js';

const log = pino({ level: 'silent' });

test.serial(
  'a head has no journal if it is told so, or if nobody could find it again',
  async (t) => {
    t.is(await openJournal({ journal: false }, 7420, log), undefined);
    t.is(await openJournal({}, 0, log), undefined);
  },
);

test.serial('a folder may be named by option or by environment', async (t) => {
  const folder = tempFolder('journals');
  process.env['PATCHBAY_JOURNAL'] = join(folder, 'of-environment');
  try {
    const named = await openJournal({ journal: join(folder, 'of-option') }, 0, log);
    const other = await openJournal({}, 0, log);
    for (const name of ['of-option', 'of-environment']) {
      t.true(existsSync(join(folder, name, 'data.mdb')), name);
    }
    await Promise.all([named!.remove(), other!.remove()]);
  } finally {
    delete process.env['PATCHBAY_JOURNAL'];
  }
});

test.serial('what is no folder and no server is refused', async (t) => {
  const refused = { code: 'E_OPTION', message: /begins with redis:\/\// };
  await t.throwsAsync(openJournal({ journal: 'valkey://h:1' }, 7420, log), refused);
  await t.throwsAsync(openJournal({ journal: 'redis://127.0.0.1:1' }, 7420, log), {
    code: 'E_JOURNAL',
    message: /ECONNREFUSED/,
  });
});
