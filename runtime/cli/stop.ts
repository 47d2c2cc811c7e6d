/** `patchbay stop`: ends the heads and nodes that were started on this machine, and whatever they started. */

import type { Command } from 'commander';
import { RuntimeError } from '../errors.js';
import { isSameProcess } from '../start-time.js';
import { enlisted, type MachineEntry } from './machine.js';

/** A node first ends its actors, which may take their time to clean up. */
const graceMs = 10_000;
const pollMs = 20;

export function addStop(program: Command): void {
  program
    .command('stop')
    .description('stop the head and the nodes that were started on this machine')
    .action(stop);
}

async function stop(): Promise<void> {
  const entries = enlisted();
  if (entries.length === 0) {
    console.log('Nothing runs here.');
    return;
  }
  // Nodes first: a node that loses its head reports an error.
  for (const role of ['node', 'head'] as const) {
    await Promise.all(entries.filter((entry) => entry.role === role).map(end));
  }
}

async function end(entry: MachineEntry): Promise<void> {
  process.kill(entry.pid, 'SIGTERM');
  if (!(await isGone(entry, graceMs))) {
    process.kill(entry.pid, 'SIGKILL');
    if (!(await isGone(entry, graceMs))) {
      throw new RuntimeError(
        'E_TIMEOUT',
        `${entry.role} ${entry.name} (pid ${entry.pid}) does not end`,
      );
    }
    console.log(`Killed ${entry.role} ${entry.name}: it did not end by itself`);
    return;
  }
  console.log(`Stopped ${entry.role} ${entry.name}`);
}

/** Nobody tells a process of the end of one that is not its child: look now and then. */
async function isGone(entry: MachineEntry, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (isSameProcess(entry)) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return true;
}
