/** `patchbay job`: submit a program to the cluster, and look after it. */

import type { Command } from 'commander';
import type { Cluster } from '../client/cluster.js';
import { LinkLostError } from '../errors.js';
import type { JobStatus } from '../wire/job-spec.js';
import { type ConnectionOptions, openConnection, withConnection } from './connection.js';
import { jobOf, type SubmitOptions } from './job-options.js';
import { printLines, type TailOptions, tailOf } from './print-lines.js';
import { table } from './table.js';

/** Not an error of the command: the job that it followed did not succeed. */
export class JobOutcome extends Error {
  readonly exitCode: number;

  constructor({ phase, exitCode }: JobStatus) {
    super(`the job ${phase}`);
    // A job that did not end well is no success, whatever its entry point said.
    this.exitCode = exitCode || 1;
  }
}

export function addJob(program: Command): void {
  const job = program.command('job').description('submit programs that run in the cluster');
  addSubmit(job);
  const json = (name: string, description: string): Command =>
    withConnection(job.command(name).description(description).option('--json', 'print it as JSON'));
  json('list', 'list jobs, the newest first').action(list);
  json('status', 'show one job').argument('<id>').action(status);
  withConnection(
    job
      .command('logs')
      .description('print what a job has printed')
      .argument('<id>')
      .option('-f, --follow', 'go on until it has ended')
      .option('-n, --tail <lines>', 'only the last lines', '10000'),
  ).action(logs);
  withConnection(
    job.command('stop').description('end a job, and wait until it has ended').argument('<id>'),
  ).action(stop);
  withConnection(
    job.command('delete').description('forget a job that has ended').argument('<id>'),
  ).action(remove);
}

function addSubmit(job: Command): void {
  const command = job
    .command('submit')
    .description(
      'run a command, or a function of a module, on a node; follows its output and ends as it does',
    )
    .argument('[command...]', 'after --: one word is a line for the shell, several are a program')
    .option('--id <id>', 'id of the job (default: one is made)')
    .option('--cwd <folder>', 'folder of the node in which a command runs')
    .option('--env <name=value...>', 'environment of a command')
    .option('--resources <json>', 'held while it runs, such as {"cpu": 1} (default: nothing)')
    .option(
      '--label-selector <json>',
      'only on nodes with such labels, such as {"zone": "eu-1"} (default: any node)',
    )
    .option('--metadata <json>', 'shown with the job, such as {"team": "vision"}')
    .option('--module <file>', 'module with the function to call')
    .option('--export <name>', 'the function to call (default: main)')
    .option('--args <json>', 'its arguments, such as [1, "two"]')
    .option('--no-wait', 'print the id and leave');
  withConnection(command).action(submit);
}

async function submit(
  words: readonly string[],
  options: SubmitOptions & ConnectionOptions & { readonly wait: boolean },
): Promise<void> {
  const job = jobOf(words, options);
  await using cluster = await openConnection(options);
  const id = await cluster.jobs.submit(job);
  if (!options.wait) {
    console.log(id);
    return;
  }
  console.error(
    `Job ${id} submitted; it goes on if you leave. Stop it with: patchbay job stop ${id}`,
  );
  if (await follow(cluster, id)) await tellOutcome(cluster, id);
}

/** @returns Whether the user is still there. */
async function follow(cluster: Cluster, id: string): Promise<boolean> {
  try {
    return !(await printLines((signal) => cluster.jobs.logs(id, { follow: true, signal })));
  } catch (error) {
    if (!(error instanceof LinkLostError)) throw error;
    // The job does not notice, and its end is told by the head that comes back.
    console.error('The head is away; what the job prints is not followed any longer');
    return true;
  }
}

async function tellOutcome(cluster: Cluster, id: string): Promise<void> {
  const status = await cluster.jobs.wait(id);
  const { phase, note, result } = status;
  if (result !== undefined && result !== null) console.log(JSON.stringify(result));
  console.error(`Job ${id} ${phase}${note === undefined ? '' : `: ${note}`}`);
  if (phase !== 'succeeded') throw new JobOutcome(status);
}

interface JsonOptions extends ConnectionOptions {
  readonly json?: true;
}

async function list(options: JsonOptions): Promise<void> {
  await using cluster = await openConnection(options);
  const jobs = await cluster.jobs.list();
  console.log(options.json ? JSON.stringify(jobs, null, 2) : jobTable(jobs));
}

export const jobTable = (jobs: readonly JobStatus[]): string =>
  table(
    ['id', 'phase', 'node', 'submitted', 'took', 'entry point', ''],
    jobs.map((job) => [
      job.id,
      job.phase,
      job.node ?? '',
      new Date(job.submittedAt).toISOString(),
      took(job),
      firstLine(job.entrypoint),
      firstLine(job.note ?? ''),
    ]),
  );

function took({ startedAt, endedAt = Date.now() }: JobStatus): string {
  return startedAt === undefined ? '' : `${((endedAt - startedAt) / 1000).toFixed(1)} s`;
}

const firstLine = (text: string): string => {
  const line = text.split('\n')[0]!;
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
};

async function status(id: string, options: JsonOptions): Promise<void> {
  await using cluster = await openConnection(options);
  const found = await cluster.jobs.status(id);
  if (options.json) {
    console.log(JSON.stringify(found, null, 2));
    return;
  }
  const rows = Object.entries(found).map(([name, value]) => [name, shown(name, value)]);
  console.log(table(['job', id], rows.slice(1)));
}

function shown(name: string, value: unknown): string {
  if (name.endsWith('At')) return new Date(Number(value)).toISOString();
  return typeof value === 'string' ? value : JSON.stringify(value);
}

async function logs(id: string, options: ConnectionOptions & TailOptions): Promise<void> {
  const reading = tailOf(options);
  await using cluster = await openConnection(options);
  await printLines((signal) => cluster.jobs.logs(id, { ...reading, signal }));
}

async function stop(id: string, options: ConnectionOptions): Promise<void> {
  await using cluster = await openConnection(options);
  const { phase } = await cluster.jobs.stop(id);
  console.log(`Job ${id} ${phase}`);
}

async function remove(id: string, options: ConnectionOptions): Promise<void> {
  await using cluster = await openConnection(options);
  await cluster.jobs.delete(id);
  console.log(`Job ${id} is forgotten`);
}
