/** Runs the entry points of jobs on a node: commands in process groups of their own, functions of modules in hosts. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { LinkLostError, messageOf, RuntimeError } from '../errors.js';
import { type JobId, newActorId } from '../ids.js';
import type { LogLimits } from '../observe/actor-log.js';
import { jobBookLimits } from '../observe/log-book.js';
import { type HostTrace, jobSource } from '../observe/reports.js';
import type { Address } from '../wire/address.js';
import type { JobEnd, JobEntry } from '../wire/job-spec.js';
import type { MessageOf } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { encodeValue } from '../wire/value.js';
import { limitOf } from './actor-runner.js';
import { GroupProcess, inWords } from './group-process.js';
import type { WatchedHost } from './memory-watch.js';
import type { NodeSite, TakeOutput } from './node-site.js';
import type { HostProcess } from './pool.js';

/** What jobs need of their node. */
export interface JobSite extends NodeSite {
  readonly token: string;
  /** File with the authorities that the head's certificate is believed by. */
  readonly ca: string | undefined;
}

type Entry<Kind extends JobEntry['kind']> = Extract<JobEntry, { readonly kind: Kind }>;

interface RunningJob {
  readonly start: MessageOf<'job.start'>;
  readonly output: TakeOutput;
  readonly stop: AbortSignal;
}

interface Held {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** From asking a job to end until it is killed. */
const graceMs = 3_000;
/** How often a function that was asked to end is looked at. */
const pollMs = 50;
/** An idle host answers at once. */
const answerMs = 1_000;
/** What a function returns is kept by the head. */
const maxResult = 256 * 1024;
/** As much as the head keeps of it may come at once. */
const logLimits: Partial<LogLimits> = { burstLines: jobBookLimits.lines };

export class JobRunner {
  readonly #site: JobSite;
  readonly #jobs = new Map<JobId, Held>();
  readonly #hosts = new Map<HostProcess, WatchedHost>();
  readonly #commands = new Map<GroupProcess, WatchedHost>();

  constructor(site: JobSite) {
    this.#site = site;
  }

  /** Hosts in which functions of modules run. */
  get hosts(): readonly HostProcess[] {
    return [...this.#hosts.keys()];
  }

  /** The same, for the watch over the node's memory: a job is not tried again. */
  get watched(): readonly WatchedHost[] {
    return [...this.#hosts.values()];
  }

  /** For the same watch. */
  get commands(): readonly WatchedHost[] {
    return [...this.#commands.values()];
  }

  /** A command by the process that leads it. */
  find(pid: number): GroupProcess | undefined {
    return [...this.#commands.keys()].find((command) => command.pid === pid);
  }

  start(start: MessageOf<'job.start'>): void {
    const { job, submittedAt } = start;
    const stop = new AbortController();
    const output = this.#site.observer.begins(jobSource(job), `job ${job}`, logLimits);
    const done = this.#run({ start, output, stop: stop.signal }).then((end) => {
      this.#jobs.delete(job);
      // Its last lines leave before the news of its end.
      this.#site.observer.exited(jobSource(job));
      this.#site.tellHead({ kind: 'job.exited', job, submittedAt, end });
    });
    this.#jobs.set(job, { stop, done });
  }

  stop(job: JobId): void {
    this.#jobs.get(job)?.stop.abort(asked);
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    const held = [...this.#jobs.values()];
    for (const { stop } of held) stop.abort(`node ${this.#site.node.name} was stopped`);
    await Promise.all(held.map(({ done }) => done));
  }

  async #run(running: RunningJob): Promise<JobEnd> {
    const { entry } = running.start.spec;
    let end: JobEnd;
    try {
      end =
        entry.kind === 'command'
          ? await this.#runCommand(running, entry)
          : await this.#runModule(running, entry);
    } catch (error) {
      end = { phase: 'failed', message: inOneLine(error) };
    }
    const { aborted, reason } = running.stop as { aborted: boolean; reason: unknown };
    // What has returned did so before it was asked to end.
    if (!aborted || end.result !== undefined) return end;
    const { exitCode } = end;
    const known = exitCode === undefined ? {} : { exitCode };
    return reason === asked
      ? { phase: 'stopped', ...known }
      : { phase: 'failed', message: String(reason), ...known };
  }

  async #runCommand(running: RunningJob, entry: Entry<'command'>): Promise<JobEnd> {
    const { start, output, stop } = running;
    const { command, cwd, env } = entry;
    const { node, headUrl, token, ca, pool, tellHead } = this.#site;
    if (cwd !== undefined && !isFolder(cwd)) {
      throw new RuntimeError('E_OPTION', `cwd ${cwd} is not a folder on node ${node.name}`);
    }
    const child = new GroupProcess('/bin/sh', ['-c', command], {
      env: {
        ...env,
        CUDA_VISIBLE_DEVICES: start.gpus.join(','),
        PATCHBAY_ADDRESS: headUrl,
        PATCHBAY_TOKEN: token,
        PATCHBAY_JOB: start.job,
        ...(ca === undefined ? {} : { PATCHBAY_TLS_CA: resolve(ca) }),
      },
      ...(cwd === undefined ? {} : { cwd }),
      // An agent that is killed now must not leave a command of which nobody knows.
      isHeld: true,
    });
    child.onOutput = output;
    pool().watchOver(child);
    const limitBytes = limitOf(start.spec.resources);
    const since = performance.now();
    this.#commands.set(child, { pid: child.pid, isGroup: true, limitBytes, role: 'unique', since });
    child.release();
    const { job, submittedAt } = start;
    tellHead({ kind: 'job.started', job, submittedAt, members: [] });
    onAbort(stop, () => void child.endGently(graceMs));
    const exit = await child.exited;
    this.#commands.delete(child);
    const known = exit.code === null ? {} : { exitCode: exit.code };
    return exit.code === 0
      ? { phase: 'succeeded', ...known }
      : { phase: 'failed', message: `its command ${inWords(exit)}`, ...known };
  }

  async #runModule(running: RunningJob, entry: Entry<'module'>): Promise<JobEnd> {
    const { start, output, stop } = running;
    const host = this.#site.pool().take(start.gpus);
    host.onOutput = output;
    const limitBytes = limitOf(start.spec.resources);
    const since = performance.now();
    this.#hosts.set(host, { pid: host.pid, limitBytes, role: 'unique', since });
    try {
      const peer = await this.#site.hosts.of(host);
      const call = await this.#prepare(running, entry, peer);
      const value = await peer.request(call, { signal: stop });
      return { phase: 'succeeded', result: resultText(value) };
    } catch (error) {
      if (stop.aborted && !(await this.#settled(host))) host.kill('it did not end in time');
      if (!(error instanceof LinkLostError)) throw error;
      return { phase: 'failed', message: `its process ${inWords(await host.exited)}` };
    } finally {
      await this.#end(host);
      this.#hosts.delete(host);
    }
  }

  /** Have the module loaded; what is left to do is the call. */
  async #prepare(
    { start: { job, submittedAt, spec }, stop }: RunningJob,
    { code, exportName, args }: Entry<'module'>,
    peer: Peer,
  ): Promise<Omit<MessageOf<'call'>, 'id'>> {
    const { node, headUrl, file, tellHead } = this.#site;
    const actor = newActorId();
    const { resources } = spec;
    const begin = {
      kind: 'host.start',
      actor,
      spec: { code, exportName: '', args: encodeValue([]), resources },
      snapshot: new Uint8Array(),
      file: await file(code),
      label: `job ${job}`,
      node: node.id,
      nodeName: node.name,
      headUrl,
    } as const;
    // A module may never come to its end.
    const address = await peer.request<Address>(begin, { signal: stop });
    tellHead({ kind: 'job.started', job, submittedAt, members: [address.process] });
    const list = JSON.parse(args) as readonly unknown[];
    return { kind: 'call', actor, method: exportName, args: list, stream: false };
  }

  /** The function's signal was aborted: it has some time to come to its end. False if that was not enough. */
  async #settled(host: HostProcess): Promise<boolean> {
    const deadline = performance.now() + graceMs;
    let isOver = false;
    void host.exited.then(() => {
      isOver = true;
    });
    while (!isOver && performance.now() < deadline) {
      const signal = AbortSignal.timeout(answerMs);
      const trace = await this.#site.hosts
        .get(host.pid)
        ?.request<HostTrace | null>({ kind: 'host.rest' }, { signal })
        .catch(() => null);
      this.#site.observer.keep(trace ?? undefined);
      if (trace) return true;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    return isOver;
  }

  async #end(host: HostProcess): Promise<void> {
    const signal = AbortSignal.timeout(answerMs);
    const asked = host.isKilled
      ? undefined
      : this.#site.hosts.get(host.pid)?.request<HostTrace>({ kind: 'host.stop' }, { signal });
    this.#site.observer.keep(await asked?.catch(() => undefined));
    await host.end();
  }
}

/** Why a job was stopped, as opposed to the end of its node. */
const asked = Symbol('asked');

function onAbort(signal: AbortSignal, then: () => void): void {
  if (signal.aborted) then();
  else signal.addEventListener('abort', then, { once: true });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** @throws RuntimeError `E_ENCODE` if it is no JSON, or too much. */
function resultText(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? 'null';
  } catch (cause) {
    throw new RuntimeError('E_ENCODE', `what it returned is no JSON: ${messageOf(cause)}`);
  }
  if (text.length <= maxResult) return text;
  throw new RuntimeError(
    'E_ENCODE',
    `what it returned has ${text.length} characters as JSON, more than ${maxResult}; write it to a file`,
  );
}

function inOneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return `${typeof code === 'string' ? code : error.name}: ${error.message}`;
}
