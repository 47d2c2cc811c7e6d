/** `patchbay status`: nodes, what they have free, actors, jobs, and why something waits. */

import type { Command } from 'commander';
import { amounts, usage } from '../amounts.js';
import type { ClusterStatus } from '../head/state.js';
import type { JobStatus } from '../wire/job-spec.js';
import { type ConnectionOptions, openConnection, withConnection } from './connection.js';
import { table } from './table.js';

export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .description('show nodes, resources, actors, jobs and what waits for resources')
    .option('--json', 'print it as JSON');
  withConnection(command).action(status);
}

async function status(options: ConnectionOptions & { readonly json?: true }): Promise<void> {
  await using cluster = await openConnection(options);
  const found = await cluster.status();
  console.log(
    options.json
      ? JSON.stringify(found, null, 2)
      : statusText(cluster.address, found, await cluster.jobs.list()),
  );
}

export function statusText(
  address: string,
  status: ClusterStatus,
  jobs: readonly JobStatus[],
): string {
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
  const unfinished = jobs.filter(({ phase }) => phase === 'pending' || phase === 'running');
  const rows = unfinished.map(({ id, phase, node, resources, note }) => [
    id,
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
    ...(rows.length > 0 ? ['', table(['job', 'phase', 'node', 'resources', ''], rows)] : []),
    ...waiting.map(({ id, strategy, note }) => `\nPlacement group ${id} (${strategy}) ${note}`),
  ].join('\n');
}
