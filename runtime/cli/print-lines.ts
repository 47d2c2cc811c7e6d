/** Lines of a log on this terminal, until they end or the user has had enough. */

import { RuntimeError } from '../errors.js';
import type { OutputLine } from '../observe/reports.js';

export interface TailOptions {
  readonly follow?: boolean;
  readonly tail: string;
}

/** @throws RuntimeError `E_OPTION` if the number of lines is none. */
export function tailOf({ tail: text, follow = false }: TailOptions): {
  readonly tail: number;
  readonly follow: boolean;
} {
  const tail = Number(text);
  if (!Number.isInteger(tail) || tail < 0) {
    throw new RuntimeError('E_OPTION', `--tail ${text} must be a whole number from 0`);
  }
  return { tail, follow };
}

/** @returns Whether the user left before the end. */
export async function printLines(
  read: (signal: AbortSignal) => AsyncIterable<OutputLine>,
): Promise<boolean> {
  const told = new AbortController();
  const { signal } = told;
  const stop = (): void => told.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  // Whoever read along, such as head(1), has had enough.
  process.stdout.on('error', stop);
  try {
    for await (const line of read(signal)) process[line.stream].write(`${line.text}\n`);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
  return signal.aborted;
}
