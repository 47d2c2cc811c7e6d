/** `patchbay list`: nodes, actors, large objects, placement groups, tasks or jobs, as a table or as JSON. */

import { Argument, type Command } from 'commander';
import { amounts } from '../amounts.js';
import type { Cluster } from '../client/cluster.js';
import { RuntimeError } from '../errors.js';
import type { ClusterStatus } from '../head/state.js';
import type { TaskCount, TaskRun } from '../observe/reports.js';
import { sumOfCounts } from '../observe/task-counts.js';
import { taskWorkerLabel } from '../wire/actor-spec.js';
import { jobEndPhases } from '../wire/job-spec.js';
import { type ConnectionOptions, openConnection, withConnection } from './connection.js';
import { jobTable } from './job.js';
import { table } from './table.js';

const kinds = ['nodes', 'actors', 'groups', 'tasks', 'jobs', 'objects'] as const;
type Kind = (typeof kinds)[number];
type ActorStatus = ClusterStatus['actors'][number];

interface ListOptions extends ConnectionOptions {
  readonly json?: true;
  readonly phase?: string;
}

export function addList(program: Command): void {
  const command = program
    .command('list')
    .description(
      'list nodes, actors (also dead ones), placement groups, tasks, jobs or large objects',
    )
    .addArgument(new Argument('<what>').choices(kinds))
    .option('--json', 'print it as JSON')
    .option(
      '--phase <phases>',
      'only in these, with commas: pending, starting, alive, dead (groups: waiting, ready, removing; tasks: also running, finished, failed; jobs: pending, running, succeeded, failed, stopped)',
    );
  withConnection(command).action(list);
}

async function list(kind: Kind, options: ListOptions): Promise<void> {
  const wanted = phasesOf(kind, options.phase);
  await using cluster = await openConnection(options);
  const { found, text } = await listings[kind](cluster, wanted);
  console.log(options.json ? JSON.stringify(found, null, 2) : text);
}

const actorPhases = ['pending', 'starting', 'alive', 'dead'];
const phases: Readonly<Record<Kind, readonly string[]>> = {
  nodes: [],
  actors: actorPhases,
  groups: ['waiting', 'ready', 'removing'],
  tasks: ['running', 'finished', 'failed', ...actorPhases],
  jobs: ['pending', 'running', ...jobEndPhases],
  objects: [],
};

type Wanted = (phase: string) => boolean;

function phasesOf(kind: Kind, text: string | undefined): Wanted {
  // Leases come and go: their dead are many.
  if (text === undefined) return (phase) => kind !== 'tasks' || phase !== 'dead';
  const chosen = text.split(',').map((phase) => phase.trim());
  for (const phase of chosen) {
    if (phases[kind].includes(phase)) continue;
    const known = phases[kind].join(', ') || 'none';
    throw new RuntimeError('E_OPTION', `--phase ${phase}: ${kind} have the phases: ${known}`);
  }
  return (phase) => chosen.includes(phase);
}

interface Listing {
  /** For `--json`. */
  readonly found: unknown;
  readonly text: string;
}

const listings: Readonly<Record<Kind, (cluster: Cluster, wanted: Wanted) => Promise<Listing>>> = {
  async nodes(cluster) {
    const [{ nodes }, stats] = await Promise.all([cluster.status(), cluster.stats()]);
    const found = nodes.map((node) => ({ ...node, stats: stats[node.name] ?? null }));
    const rows = found.map(({ id, name, total, free, gpus, labels, lagMs, stats: known }) => [
      id,
      name,
      amounts(total),
      amounts(free),
      `${gpus.length}`,
      Object.entries(labels)
        .map(([label, value]) => `${label}=${value}`)
        .join(', '),
      known ? `${known.busy} busy, ${known.warm} warm` : '',
      known ? `${Math.round(known.rssBytes / 2 ** 20)} MiB` : '',
      `${lagMs.toFixed(0)} ms`,
    ]);
    const header = ['id', 'name', 'total', 'free', 'GPUs', 'labels', 'hosts', 'memory', 'lag'];
    return { found, text: table(header, rows) };
  },

  async actors(cluster, wanted) {
    const { actors } = await cluster.status();
    const found = actors.filter((actor) => !isTaskWorker(actor) && wanted(actor.phase));
    return { found, text: actorTable(found) };
  },

  async objects(cluster) {
    const found = await cluster.storedObjects();
    const rows = found.map(({ store, key, bytes, as, where, readers }) => [
      key,
      store,
      `${(bytes / 2 ** 20).toFixed(1)} MiB`,
      as,
      where,
      `${readers}`,
    ]);
    return { found, text: table(['key', 'store', 'size', 'as', 'where', 'readers'], rows) };
  },

  async groups(cluster, wanted) {
    const { groups } = await cluster.status();
    const found = groups.filter(({ phase }) => wanted(phase));
    const rows = found.map(({ id, strategy, phase, nodes, note }) => [
      id,
      strategy,
      phase,
      nodes.join(', '),
      note ?? '',
    ]);
    return { found, text: table(['id', 'strategy', 'phase', 'nodes', ''], rows) };
  },

  async tasks(cluster, wanted) {
    const [{ actors }, stats, runs] = await Promise.all([
      cluster.status(),
      cluster.stats(),
      cluster.taskRuns(),
    ]);
    const workers = actors.filter((actor) => isTaskWorker(actor) && wanted(actor.phase));
    const functions = sumOfCounts(Object.values(stats).flatMap(({ tasks }) => tasks));
    const found = runs.filter(({ phase }) => wanted(phase));
    const text = [functionTable(functions), '', runTable(found), '', actorTable(workers)];
    return { found: { functions, runs: found, workers }, text: text.join('\n') };
  },

  async jobs(cluster, wanted) {
    const found = (await cluster.jobs.list()).filter(({ phase }) => wanted(phase));
    return { found, text: jobTable(found) };
  },
};

/** The head's label of a process that runs tasks. */
const isTaskWorker = ({ label }: ActorStatus): boolean => label === taskWorkerLabel;

const functionTable = (functions: readonly TaskCount[]): string =>
  table(
    ['function', 'finished', 'failed'],
    functions.map(({ name, finished, failed }) => [name, `${finished}`, `${failed}`]),
  );

/** The rest is in `--json`. */
const shownRuns = 20;

const runTable = (runs: readonly TaskRun[]): string =>
  table(
    ['task', 'phase', 'node', 'worker', 'began', 'took'],
    runs
      .slice(0, shownRuns)
      .map(({ name, phase, node, worker, start, ms }) => [
        name,
        phase,
        node,
        worker,
        new Date(start).toISOString(),
        `${ms.toFixed(ms < 10 ? 1 : 0)} ms`,
      ]),
  );

const actorTable = (actors: readonly ActorStatus[]): string =>
  table(
    ['id', 'class', 'phase', 'node', 'resources', ''],
    actors.map(({ id, label, phase, node, resources, note }) => [
      id,
      label,
      phase,
      node ?? '',
      amounts(resources),
      note?.split('\n')[0] ?? '',
    ]),
  );
