/** A cluster on this machine for as long as the program needs it: a head and some nodes, each its own process. */

import { availableParallelism, hostname } from 'node:os';
import type { LogToDriver } from '../observe/driver-logs.js';
import { ServedChild } from '../process.js';
import type { Resources } from '../resources.js';
import { newToken } from '../token.js';
import type { Gpu } from '../wire/messages.js';
import { declaredGpus, detectGpus } from '../worker/gpus.js';
import { Cluster } from './cluster.js';

export interface LocalClusterOptions {
  /** Worker nodes. @default 2 */
  readonly workers?: number;
  /** What each node offers. @default its share of this machine's processors, at least one, and of its NVIDIA GPUs */
  readonly resources?: Resources;
  /** Hosts each node keeps warm. @default 1 */
  readonly prewarm?: number;
  /** Log level of head and agents, to stderr. @default 'warn' */
  readonly logLevel?: string;
  /** Print what actors and tasks print, take each line, or leave it. @default true */
  readonly logToDriver?: LogToDriver;
  /** Of the program's actors' names. @default 'default' */
  readonly namespace?: string;
  /** Shared memory of each node, and of this program, for large objects. @default 30 % of the machine's each */
  readonly objectStoreBytes?: number;
  /** Behave as if each node were another machine: no shared memory and no Unix sockets between them. @default false */
  readonly separate?: boolean;
}

/** Start a cluster and connect to it. Disposing of it ends every process it started. */
export async function startCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  return LocalCluster.start(options);
}

export class LocalCluster implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly token: string;
  readonly #head: ServedChild;
  readonly #nodes: readonly ServedChild[];

  private constructor(
    cluster: Cluster,
    token: string,
    head: ServedChild,
    nodes: readonly ServedChild[],
  ) {
    this.cluster = cluster;
    this.token = token;
    this.#head = head;
    this.#nodes = nodes;
  }

  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    const { workers = 2, prewarm = 1, logLevel = 'warn' } = options;
    const share = Math.max(1, Math.floor(availableParallelism() / workers));
    const resources = options.resources ?? { cpu: share };
    const { gpu = 0, ...others } = resources;
    // Those of this machine are shared out among its nodes. The head starts while they are asked for.
    const detected = options.resources ? undefined : detectGpus();
    const gpusOf = async (node: number): Promise<readonly Gpu[]> =>
      (await detected)?.filter((_, index) => index % workers === node) ?? declaredGpus(gpu);
    const token = newToken();
    const env = { PATCHBAY_LOG: logLevel };
    const { objectStoreBytes } = options;
    const limits = objectStoreBytes === undefined ? {} : { objectStoreBytes };
    const started: AsyncDisposable[] = [];
    try {
      const head = await ServedChild.start(headEntry, { port: 0, token }, env);
      started.push(head);
      const nodes = await Promise.all(
        Array.from({ length: workers }, async (_, index) => {
          const name = `node-${index}`;
          const gpus = await gpusOf(index);
          const child = await ServedChild.start(
            agentEntry,
            { headUrl: head.ready, token, name, resources: others, gpus, prewarm, ...limits },
            options.separate ? { ...env, PATCHBAY_MACHINE: `${hostname()}/${name}` } : env,
          );
          started.push(child);
          return child;
        }),
      );
      const cluster = await Cluster.open(head.ready, token, options);
      return new LocalCluster(cluster, token, head, nodes);
    } catch (error) {
      await Promise.all(started.map((child) => child[Symbol.asyncDispose]()));
      throw error;
    }
  }

  /** Of the head. */
  get address(): string {
    return this.#head.ready;
  }

  /** Process ids: of the head, then of the agents. */
  get pids(): readonly number[] {
    return [this.#head.pid, ...this.#nodes.map(({ pid }) => pid)];
  }

  async close(): Promise<void> {
    await this.cluster.close();
    await Promise.all(this.#nodes.map((node) => node[Symbol.asyncDispose]()));
    await this.#head[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const headEntry = new URL('../head/head-main.js', import.meta.url);
const agentEntry = new URL('../worker/agent-main.js', import.meta.url);
