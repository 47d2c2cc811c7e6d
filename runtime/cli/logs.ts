/** `patchbay logs`: what an actor has printed, and what it prints on. */

import type { Command } from 'commander';
import { RuntimeError } from '../errors.js';
import { type ConnectionOptions, openConnection, withConnection } from './connection.js';

interface LogsOptions extends ConnectionOptions {
  readonly follow?: true;
  readonly tail: string;
}

export function addLogs(program: Command): void {
  const command = program
    .command('logs')
    .description('print what an actor or task worker has printed, also of one that is dead')
    .argument('<actor>', 'its name or id')
    .option('-f, --follow', 'go on until it is dead')
    .option('-n, --tail <lines>', 'only the last lines', '1000');
  withConnection(command).action(logs);
}

async function logs(actor: string, options: LogsOptions): Promise<void> {
  const tail = Number(options.tail);
  if (!Number.isInteger(tail) || tail < 0) {
    throw new RuntimeError('E_OPTION', `--tail ${options.tail} must be a whole number from 0`);
  }
  const told = new AbortController();
  const stop = (): void => told.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  // Whoever read along, such as head(1), has had enough.
  process.stdout.on('error', stop);
  await using cluster = await openConnection(options);
  const { signal } = told;
  try {
    for await (const line of cluster.logs(actor, {
      tail,
      follow: options.follow ?? false,
      signal,
    })) {
      process[line.stream].write(`${line.text}\n`);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
