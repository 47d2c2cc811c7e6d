/** The cluster as the tables of a page: all text, nothing to be run. */

import { amounts, usage } from '../amounts.js';
import type { ClusterStatus } from '../head/state.js';
import type { NodeStats, StoredObject, TaskRun } from '../observe/reports.js';
import { sumOfCounts } from '../observe/task-counts.js';
import type { Resources } from '../resources.js';
import { taskWorkerLabel } from '../wire/actor-spec.js';
import type { JobStatus } from '../wire/job-spec.js';

/** What the head was asked: as `patchbay list` and `patchbay status` ask it. Undefined where the answer did not come in time. */
export interface ClusterFacts {
  /** Milliseconds since 1970, by the head's clock. */
  readonly at: number;
  readonly status: ClusterStatus;
  readonly stats: Readonly<Record<string, NodeStats>>;
  readonly jobs: readonly JobStatus[];
  readonly runs: readonly TaskRun[] | undefined;
  readonly objects: readonly StoredObject[] | undefined;
}

/** `good` is under way as it should be, `wait` waits, `bad` has failed, `past` is over. */
export type Tone = 'good' | 'wait' | 'bad' | 'past';

export type Cell =
  | string
  | {
      readonly text: string;
      readonly tone?: Tone;
      /** Of what there is, from 0 to 1: shown as a bar. */
      readonly share?: number;
    };

export interface Table {
  readonly title: string;
  /** In few words what is in it, or why nothing is. */
  readonly note: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A page of more rows is of no use to anybody, and is sent every second. */
const maxRows = 200;
/** A job's command may be as long as a program. */
const maxLength = 500;

export function tablesOf(facts: ClusterFacts): readonly Table[] {
  return [
    nodes(facts),
    actors(facts),
    taskRuns(facts),
    functions(facts),
    jobs(facts),
    groups(facts),
    objects(facts),
  ];
}

function nodes({ status, stats }: ClusterFacts): Table {
  const rows = status.nodes.map(({ name, total, free, gpus, labels, lagMs, isAway }): Cell[] => {
    const known = stats[name];
    return [
      name,
      { text: usage(total, free), share: shareOf(total, free) },
      gpus.map((gpu) => gpu.name).join(', '),
      known ? `${known.busy} busy, ${known.warm} warm` : '',
      known ? mib(known.rssBytes) : '',
      known ? storeText(known.store) : '',
      isAway ? { text: 'not back yet', tone: 'bad' } : `${lagMs.toFixed(0)} ms`,
      Object.entries(labels)
        .map(([label, value]) => `${label}=${value}`)
        .join(', '),
    ];
  });
  const columns = [
    'name',
    'used of total',
    'GPUs',
    'hosts',
    'memory of hosts',
    'objects',
    'lag',
    'labels',
  ];
  return tableOf('Nodes', columns, rows, 'no node has joined');
}

function actors({ status }: ClusterFacts): Table {
  const all = status.actors.filter(({ label }) => label !== taskWorkerLabel);
  const living = all.filter(({ phase }) => phase !== 'dead');
  // The last to die is of most interest.
  const dead = all.filter(({ phase }) => phase === 'dead').reverse();
  const rows = [...living, ...dead].map(({ id, label, phase, node, resources, note }): Cell[] => [
    label,
    { text: phase, tone: tones[phase] },
    node ?? '',
    amounts(resources),
    id,
    note?.split('\n')[0] ?? '',
  ]);
  const workers = status.actors.filter(
    ({ label, phase }) => label === taskWorkerLabel && phase !== 'dead',
  ).length;
  const table = tableOf('Actors', ['class', 'phase', 'node', 'resources', 'id', ''], rows, 'none');
  const note = `${living.length} living, ${dead.length} dead; task workers beside them: ${workers}`;
  return { ...table, note: joined(note, leftOut(rows.length)) };
}

function taskRuns({ runs }: ClusterFacts): Table {
  const columns = ['function', 'phase', 'node', 'began', 'took'];
  if (!runs) return unanswered('Tasks', columns);
  const rows = runs.map(({ name, phase, node, start, ms }): Cell[] => [
    name,
    { text: phase, tone: tones[phase] },
    node,
    timeOf(start),
    `${ms.toFixed(ms < 10 ? 1 : 0)} ms`,
  ]);
  return tableOf('Tasks', columns, rows, 'none has run', 'those that run, and the last ones');
}

function functions({ stats }: ClusterFacts): Table {
  const all = sumOfCounts(Object.values(stats).flatMap(({ tasks }) => tasks));
  const rows = all.map(({ name, finished, failed }): Cell[] => [
    name,
    `${finished}`,
    failed > 0 ? { text: `${failed}`, tone: 'bad' } : '0',
  ]);
  return tableOf('Functions', ['function', 'finished', 'failed'], rows, 'none has run as a task');
}

function jobs({ jobs: all }: ClusterFacts): Table {
  const rows = all.map(({ id, phase, entrypoint, node, submittedAt, note }): Cell[] => [
    id,
    { text: phase, tone: tones[phase] },
    entrypoint,
    node ?? '',
    timeOf(submittedAt),
    note ?? '',
  ]);
  const columns = ['id', 'phase', 'entry point', 'node', 'submitted', ''];
  return tableOf('Jobs', columns, rows, 'none was submitted', 'the newest first');
}

function groups({ status }: ClusterFacts): Table {
  const rows = status.groups.map(({ id, strategy, phase, nodes: on, note }): Cell[] => [
    id,
    strategy,
    { text: phase, tone: tones[phase] },
    on.join(', '),
    note ?? '',
  ]);
  return tableOf('Placement groups', ['id', 'strategy', 'phase', 'nodes', ''], rows, 'none');
}

function objects({ objects: all }: ClusterFacts): Table {
  const columns = ['key', 'store', 'size', 'as', 'where', 'readers'];
  if (!all) return unanswered('Objects', columns);
  const rows = all
    .toSorted((a, b) => b.bytes - a.bytes)
    .map(({ key, store, bytes, as, where, readers }): Cell[] => [
      key,
      store,
      mib(bytes),
      as,
      where,
      `${readers}`,
    ]);
  const sum = all.reduce((bytes, object) => bytes + object.bytes, 0);
  return tableOf('Objects', columns, rows, 'no store has any', `${all.length} with ${mib(sum)}`);
}

function tableOf(
  title: string,
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
  none: string,
  some = `${rows.length}`,
): Table {
  const note = rows.length === 0 ? none : joined(some, leftOut(rows.length));
  return { title, note, columns, rows: rows.slice(0, maxRows).map((row) => row.map(cut)) };
}

function cut(cell: Cell): Cell {
  const text = typeof cell === 'string' ? cell : cell.text;
  if (text.length <= maxLength) return cell;
  const shorter = `${text.slice(0, maxLength)}…`;
  return typeof cell === 'string' ? shorter : { ...cell, text: shorter };
}

const unanswered = (title: string, columns: readonly string[]): Table => ({
  title,
  note: 'not every node has answered in time',
  columns,
  rows: [],
});

const leftOut = (rows: number): string =>
  rows > maxRows ? `${rows - maxRows} more are not shown` : '';

const joined = (...notes: readonly string[]): string =>
  notes.filter((note) => note !== '').join('; ');

type Phase =
  | ClusterStatus['actors'][number]['phase']
  | ClusterStatus['groups'][number]['phase']
  | TaskRun['phase']
  | JobStatus['phase'];

const tones: Readonly<Record<Phase, Tone>> = {
  alive: 'good',
  running: 'good',
  ready: 'good',
  pending: 'wait',
  starting: 'wait',
  waiting: 'wait',
  removing: 'wait',
  failed: 'bad',
  dead: 'past',
  finished: 'past',
  succeeded: 'past',
  stopped: 'past',
};

/** Of the resource that is used most. */
const shareOf = (total: Resources, free: Resources): number =>
  Math.max(
    0,
    ...Object.entries(total).map(([name, units]) =>
      units > 0 ? (units - (free[name] ?? 0)) / units : 0,
    ),
  );

const storeText = ({ objects, bytes }: NodeStats['store']): string =>
  objects === 0 ? '0' : `${objects} (${mib(bytes)})`;

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 1 : 0)} MiB`;

/** `2026-11-25 17:40:02`, in UTC as in logs. */
const timeOf = (at: number): string => new Date(at).toISOString().slice(0, 19).replace('T', ' ');
