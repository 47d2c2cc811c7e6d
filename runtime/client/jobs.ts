/** `cluster.jobs`: programs that run in the cluster and outlive whoever submitted them. */

import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuntimeError } from '../errors.js';
import type { JobId } from '../ids.js';
import { type LabelSelector, requireSelector } from '../labels.js';
import type { ReadLogOptions } from '../observe/driver-logs.js';
import { jobBookLimits } from '../observe/log-book.js';
import { jobSource, type OutputLine } from '../observe/reports.js';
import { type Resources, toQuantities } from '../resources.js';
import type { JobEntry, JobStatus } from '../wire/job-spec.js';
import type { Peer } from '../wire/peer.js';
import type { BundleOptions } from './bundle.js';
import type { LoadedCode } from './remote.js';

interface CommonOptions {
  /**
   * Submitting the same job under the same id again does nothing; another job is refused with `E_NAME_TAKEN`.
   * @default one that the head makes
   */
  readonly id?: string;
  /** Held by the entry point itself, as long as it runs. @default {}: it fits on any node */
  readonly resources?: Resources;
  /** Only on nodes whose labels are so, as for tasks. @default any node */
  readonly labelSelector?: LabelSelector;
  /** Shown with the job, and of no meaning to the cluster. @default {} */
  readonly metadata?: Readonly<Record<string, string>>;
}

interface CommandOptions extends CommonOptions {
  /** For `/bin/sh -c`, on a node; it finds the cluster by `connect()`. */
  readonly command: string;
  /** Over the environment of the node. @default {} */
  readonly env?: Readonly<Record<string, string>>;
  /** A folder of the node; the job fails if it is not there. @default the folder in which the node was started */
  readonly cwd?: string;
}

interface ModuleOptions extends CommonOptions, BundleOptions {
  /** Bundled and uploaded, as by `cluster.load`. */
  readonly module: URL;
  /** The exported function to call; it finds the cluster by `context()`. @default 'main' */
  readonly export?: string;
  /** What JSON can hold. @default [] */
  readonly args?: readonly unknown[];
}

export type JobOptions = CommandOptions | ModuleOptions;

export class Jobs {
  readonly #head: () => Promise<Peer>;
  readonly #upload: (module: URL, options: BundleOptions) => Promise<LoadedCode>;

  constructor(
    head: () => Promise<Peer>,
    upload: (module: URL, options: BundleOptions) => Promise<LoadedCode>,
  ) {
    this.#head = head;
    this.#upload = upload;
  }

  /**
   * Resolves with the job's id as soon as the head knows the job; it may still wait for resources then.
   *
   * @throws RuntimeError `E_NO_ROOM` if no node can ever hold it, `E_NAME_TAKEN`, `E_OPTION`, `E_BUNDLE`, `E_EXPORT`.
   */
  async submit(options: JobOptions): Promise<JobId> {
    const { id = '', resources = {}, labelSelector, metadata = {} } = options;
    const where = labelSelector ? { labelSelector: requireSelector(labelSelector) } : {};
    const held = toQuantities(resources);
    const spec = { entry: await this.#entryOf(options), resources: held, ...where, metadata };
    return (await this.#head()).request<JobId>({ kind: 'job.submit', job: id, spec });
  }

  /** Those that have not ended and the last 200 that have, the newest first. */
  async list(): Promise<readonly JobStatus[]> {
    return (await this.#head()).request({ kind: 'job.list' });
  }

  /** @throws RuntimeError `E_JOB_UNKNOWN`. */
  async status(id: string): Promise<JobStatus> {
    return (await this.#head()).request({ kind: 'job.status', job: id as JobId });
  }

  /**
   * How it ended, once it has, be it well or not.
   *
   * @throws RuntimeError `E_JOB_UNKNOWN`, `E_ABORTED`.
   */
  async wait(id: string, options: { readonly signal?: AbortSignal } = {}): Promise<JobStatus> {
    return (await this.#head()).request({ kind: 'job.wait', job: id as JobId }, options);
  }

  /**
   * What its entry point has printed, as far as the head remembers, and what it prints on.
   *
   * @throws RuntimeError `E_JOB_UNKNOWN`.
   */
  async *logs(id: string, options: ReadLogOptions = {}): AsyncGenerator<OutputLine> {
    const { tail = jobBookLimits.lines, follow = false, signal } = options;
    const lists = (await this.#head()).stream<readonly OutputLine[]>(
      { kind: 'log.read', actor: jobSource(id as JobId), tail, follow },
      signal ? { signal } : {},
    );
    for await (const lines of lists) yield* lines;
  }

  /**
   * Ask it to end: its processes have three seconds after SIGTERM. Resolves when it is over, also if it was before.
   *
   * @throws RuntimeError `E_JOB_UNKNOWN`.
   */
  async stop(id: string): Promise<JobStatus> {
    return (await this.#head()).request({ kind: 'job.kill', job: id as JobId });
  }

  /** @throws RuntimeError `E_JOB_STATE` if it has not ended, `E_JOB_UNKNOWN`. */
  async delete(id: string): Promise<void> {
    await (await this.#head()).request({ kind: 'job.delete', job: id as JobId });
  }

  /** @internal What this program creates ends with the job. */
  async join(id: string): Promise<void> {
    await (await this.#head()).request({ kind: 'job.join', job: id as JobId });
  }

  async #entryOf(options: JobOptions): Promise<JobEntry> {
    if ('command' in options) {
      const { command, cwd, env = {} } = options;
      return { kind: 'command', command, env, ...(cwd === undefined ? {} : { cwd }) };
    }
    const { module, export: exportName = 'main', args = [], external } = options;
    const { code, exports } = await this.#upload(module, external ? { external } : {});
    const file = basename(fileURLToPath(module));
    if (!exports.includes(exportName)) {
      const names = exports.join(', ') || 'nothing';
      throw new RuntimeError('E_EXPORT', `${file} exports no ${exportName}; it has: ${names}`);
    }
    return { kind: 'module', code, file, exportName, args: argsText(args) };
  }
}

/** @throws RuntimeError `E_OPTION`. */
function argsText(args: readonly unknown[]): string {
  try {
    return JSON.stringify(args);
  } catch (cause) {
    throw new RuntimeError('E_OPTION', 'the arguments of a job must be what JSON can hold', {
      cause,
    });
  }
}
