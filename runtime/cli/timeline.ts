/** `patchbay timeline`: what has run where, for Perfetto or chrome://tracing. */

import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { chromeTrace } from '../observe/chrome-trace.js';
import { type ConnectionOptions, openConnection, withConnection } from './connection.js';

interface TimelineOptions extends ConnectionOptions {
  readonly output: string;
}

export function addTimeline(program: Command): void {
  const command = program
    .command('timeline')
    .description('write the last calls and tasks of every host as a Chrome trace (for Perfetto)')
    .requiredOption('-o, --output <file>', 'file to write');
  withConnection(command).action(timeline);
}

async function timeline(options: TimelineOptions): Promise<void> {
  await using cluster = await openConnection(options);
  const nodes = await cluster.trace();
  writeFileSync(options.output, JSON.stringify(chromeTrace(nodes)));
  const hosts = nodes.flatMap((node) => node.hosts);
  const spans = hosts.reduce((sum, { name }) => sum + name.length, 0);
  console.log(
    `${options.output}: ${spans} spans of ${hosts.length} hosts on ${nodes.length} nodes; open it at https://ui.perfetto.dev`,
  );
}
