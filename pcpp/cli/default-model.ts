/** The model that commands take when none is named: PATCHBAY_MODEL, or the one that ships. */

import { fileURLToPath } from 'node:url';

export const defaultModel = (): string =>
  process.env['PATCHBAY_MODEL'] ??
  fileURLToPath(new URL('../../../examples/models/scenes', import.meta.url));
