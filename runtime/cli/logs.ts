/** `patchbay logs`: what an actor has printed, and what it prints on. */

import type { Command } from 'commander';
import { type ConnectionOptions, openConnection, withConnection } from './connection.js';
import { printLines, type TailOptions, tailOf } from './print-lines.js';

export function addLogs(program: Command): void {
  const command = program
    .command('logs')
    .description('print what an actor, a task worker or a job has printed, also if it is dead')
    .argument('<actor>', 'its name or id')
    .option('-f, --follow', 'go on until it is dead')
    .option('-n, --tail <lines>', 'only the last lines', '1000');
  withConnection(command).action(logs);
}

async function logs(actor: string, options: ConnectionOptions & TailOptions): Promise<void> {
  const reading = tailOf(options);
  await using cluster = await openConnection(options);
  await printLines((signal) => cluster.logs(actor, { ...reading, signal }));
}
