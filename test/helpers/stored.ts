/** A cluster with the module of large values loaded. */

import type { LocalClusterOptions, Remote } from '../../runtime/index.js';
import { openCluster, type TestCluster } from './processes.js';

const stored = new URL('../fixtures/actors/stored.js', import.meta.url);
type Stored = typeof import('../fixtures/actors/stored.js');

/** Of an array that is large: 1.2 MB. */
export const length: number = 300_000;

export const ramp = (of: number = length): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: of }, (_, n) => n);

interface Opened {
  readonly opened: TestCluster;
  readonly cluster: TestCluster['cluster'];
  readonly lib: Remote<Stored>;
}

export async function openStored(options: LocalClusterOptions = {}): Promise<Opened> {
  const opened = await openCluster({ workers: 1, resources: { cpu: 2 }, ...options });
  const { cluster } = opened;
  return { opened, cluster, lib: await cluster.load<Stored>(stored) };
}
