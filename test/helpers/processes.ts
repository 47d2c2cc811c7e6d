/** Clusters of real processes that must leave nothing behind: neither a process nor a folder. */

import { readdirSync } from 'node:fs';
import {
  type Cluster,
  type LocalCluster,
  type LocalClusterOptions,
  startCluster,
} from '../../runtime/index.js';
import { commandOf, descendantsOf, isAlive } from './descendants.js';
import { tempFolder } from './temp-folder.js';
import { until } from './until.js';

// Nodes make their folders here: those of other tests are none of ours.
const folder: string = tempFolder('t');
process.env['TMPDIR'] = folder;

export const nodeFolders = (): readonly string[] =>
  readdirSync(folder).filter((name) => name.startsWith('patchbay-node-'));

/** Waits until none of these is left. */
export const allGone = (pids: readonly number[]): Promise<void> =>
  until(`processes end: ${pids.map((pid) => `${pid} ${commandOf(pid)}`).join('; ')}`, () =>
    pids.every((pid) => !isAlive(pid)),
  );

export class TestCluster implements AsyncDisposable {
  readonly local: LocalCluster;
  readonly cluster: Cluster;
  readonly #seen = new Set<number>();

  constructor(local: LocalCluster) {
    this.local = local;
    this.cluster = local.cluster;
  }

  /** Head, agents and hosts that live now; remembered, to be gone in the end. */
  pids(): readonly number[] {
    const now = this.local.pids.flatMap((pid) => [pid, ...descendantsOf(pid)]);
    for (const pid of now) this.#seen.add(pid);
    return now;
  }

  get agents(): readonly number[] {
    return this.local.pids.slice(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pids();
    await this.local.close();
    await allGone([...this.#seen]);
    await until('the folders of the nodes are removed', () => nodeFolders().length === 0);
  }
}

/** Only one at a time in a process: the folders are told apart by process. */
export async function openCluster(options: LocalClusterOptions = {}): Promise<TestCluster> {
  return new TestCluster(await startCluster({ workers: 2, resources: { cpu: 4 }, ...options }));
}
