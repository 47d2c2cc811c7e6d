/** `patchbay status`: nodes, what they have free, actors, and why something waits. */

import type { Command } from 'commander';
import { connect } from '../client/cluster.js';
import { defaultPort } from '../head/head.js';
import type { ClusterStatus } from '../head/state.js';
import { amounts, usage } from './amounts.js';
import { readToken } from './options.js';
import { table } from './table.js';

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('show nodes, resources, actors and what waits for resources')
    .option(
      '--address <url>',
      `the head (default: PATCHBAY_ADDRESS, or ws://127.0.0.1:${defaultPort})`,
    )
    .option('--token-file <file>', 'file with the token')
    .option('--json', 'print it as JSON')
    .action(async (options: { address?: string; tokenFile?: string; json?: true }) => {
      const address =
        options.address ?? process.env['PATCHBAY_ADDRESS'] ?? `ws://127.0.0.1:${defaultPort}`;
      await using cluster = await connect({ address, token: readToken(options.tokenFile) });
      const status = await cluster.status();
      console.log(options.json ? JSON.stringify(status, null, 2) : statusText(address, status));
    });
}

export function statusText(address: string, status: ClusterStatus): string {
  const nodes = status.nodes.map(({ name, total, free, gpus, lagMs, isAway }) => [
    name,
    usage(total, free),
    gpus.map((gpu) => gpu.name).join(', '),
    isAway ? 'not back yet' : `${lagMs.toFixed(0)} ms`,
  ]);
  const living = status.actors.filter(({ phase }) => phase !== 'dead');
  const actors = living.map(({ id, label, phase, node, resources, note }) => [
    id,
    label,
    phase,
    node ?? '',
    amounts(resources),
    note ?? '',
  ]);
  const waiting = status.groups.filter(({ ready }) => !ready);
  return [
    `Cluster at ${address}: ${nodes.length} nodes, ${living.length} actors`,
    '',
    table(['node', 'used of total', 'GPUs', 'lag'], nodes),
    ...(actors.length > 0
      ? ['', table(['actor', 'class', 'phase', 'node', 'resources', ''], actors)]
      : []),
    ...waiting.map(({ id, strategy, note }) => `\nPlacement group ${id} (${strategy}) ${note}`),
  ].join('\n');
}
