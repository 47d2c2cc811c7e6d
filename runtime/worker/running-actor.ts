/** An actor on this node, as its agent keeps it. */

import { toResources } from '../resources.js';
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

/** @param running Undefined for a host without an actor. */
export function watchedHost(pid: number, running: RunningActor | undefined): WatchedHost {
  if (!running) return { pid, limitBytes: undefined, role: 'idle', since: 0 };
  const { spec, since } = running;
  const gib = toResources(spec.resources)['memory'];
  const isRetriable = spec.exportName === '' || (spec.maxRestarts ?? 0) !== 0;
  return {
    pid,
    limitBytes: gib === undefined ? undefined : gib * 1024 ** 3,
    role: isRetriable ? 'retriable' : 'unique',
    since,
  };
}
