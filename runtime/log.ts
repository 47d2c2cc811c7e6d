/** Structured logs of the long-lived processes, to stderr, one JSON object per line. */

import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Level from PATCHBAY_LOG. @default 'info' */
export const newLogger = (name: string): Logger =>
  pino(
    { name, level: process.env['PATCHBAY_LOG'] ?? 'info', base: { pid: process.pid } },
    pino.destination(2),
  );
