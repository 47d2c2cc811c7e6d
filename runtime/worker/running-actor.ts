/** An actor on this node, as its agent keeps it. */

import { type Quantities, toResources } from '../resources.js';
import type { ActorSpec } from '../wire/messages.js';
import type { WatchedHost } from './memory-watch.js';
import type { HostProcess } from './pool.js';

export interface RunningActor {
  readonly host: HostProcess;
  readonly label: string;
  readonly spec: ActorSpec;
  /** When it began, by `performance.now`. */
  readonly since: number;
  stopping: boolean;
}

/** What may be held of memory, in bytes; undefined if none was given. */
export function limitOf(resources: Quantities): number | undefined {
  const gib = toResources(resources)['memory'];
  return gib === undefined ? undefined : gib * 1024 ** 3;
}

/** @param running Undefined for a host without an actor. */
export function watchedHost(pid: number, running: RunningActor | undefined): WatchedHost {
  if (!running) return { pid, limitBytes: undefined, role: 'idle', since: 0 };
  const { spec, since } = running;
  const isRetriable = spec.exportName === '' || (spec.maxRestarts ?? 0) !== 0;
  return {
    pid,
    limitBytes: limitOf(spec.resources),
    role: isRetriable ? 'retriable' : 'unique',
    since,
  };
}
