/** Reads a whole journal, so that whoever started this process learns whether that can be survived. */

import { open } from 'lmdb';
import { messageOf } from '../errors.js';

try {
  const rows = open({ path: process.argv[2]!, readOnly: true, noSubdir: false });
  for (const { key, value } of rows.getRange()) if (!key) throw new Error(`no key for ${value}`);
} catch (error) {
  process.stderr.write(messageOf(error));
  process.exitCode = 1;
}
