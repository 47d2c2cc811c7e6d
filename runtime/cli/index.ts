/** The runtime's commands, for a program to add its own to. */

import { Command, CommanderError } from 'commander';
import { addJob, JobOutcome } from './job.js';
import { addList } from './list.js';
import { addLogs } from './logs.js';
import { addStart, type StartExtras } from './start.js';
import { addStatus } from './status.js';
import { addStop } from './stop.js';
import { addTimeline } from './timeline.js';

export { type ConnectionOptions, openConnection, withConnection } from './connection.js';
export { readToken } from './options.js';
export { table } from './table.js';

/** @param extras What the program adds to these commands. @returns `start`, `status`, `list`, `job`, `logs`, `timeline` and `stop`. */
export function newProgram(
  description: string,
  version: string,
  extras: StartExtras = {},
): Command {
  const program = new Command('patchbay').description(description).version(version);
  program.exitOverride().showHelpAfterError('(see patchbay <command> --help)');
  addStart(program, extras);
  addStatus(program);
  addList(program);
  addJob(program);
  addLogs(program);
  addTimeline(program);
  addStop(program);
  return program;
}

/** Errors of users and clusters in one line with their code; exit code 1, or 2 for wrong usage. */
export async function runProgram(program: Command, args: readonly string[]): Promise<number> {
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof JobOutcome) return error.exitCode;
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (typeof code === 'string' && code.startsWith('E_')) {
      console.error(`patchbay: ${code}: ${String(message)}`);
    } else {
      console.error(error);
    }
    return 1;
  }
}
