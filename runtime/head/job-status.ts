/** Jobs as people read them. */

import type { NodeId } from '../ids.js';
import { toResources } from '../resources.js';
import type { JobEnd, JobEntry, JobPhase, JobStatus } from '../wire/job-spec.js';
import type { HeadState, JobRecord } from './state.js';

/** The newest first; without results, which may be long. */
export const jobList = (state: HeadState, at: number): readonly JobStatus[] =>
  [...state.jobs.values()].reverse().map((job) => {
    const { result: _, ...rest } = jobStatus(state, job, at);
    return rest;
  });

export function jobStatus(state: HeadState, job: JobRecord, at: number): JobStatus {
  const { id, spec, submittedAt, state: now } = job;
  return {
    id,
    phase: phaseOf(job),
    entrypoint: entrypointOf(spec.entry),
    resources: toResources(spec.resources),
    ...(spec.labelSelector ? { labelSelector: spec.labelSelector } : {}),
    metadata: spec.metadata,
    submittedAt,
    ...placeAndTimes(state, job, at),
    ...(now.phase === 'ended' ? endOf(now.end) : {}),
  };
}

function phaseOf({ state }: JobRecord): JobPhase {
  switch (state.phase) {
    case 'pending':
    case 'starting':
      return 'pending';
    case 'running':
      return 'running';
    case 'ended':
      return state.end.phase;
  }
}

type PlaceAndTimes = Pick<JobStatus, 'node' | 'startedAt' | 'endedAt' | 'note'>;

function placeAndTimes(state: HeadState, { state: now }: JobRecord, at: number): PlaceAndTimes {
  const nameOf = (id: NodeId): string => state.nodes.get(id)?.name ?? id;
  switch (now.phase) {
    case 'pending': {
      const seconds = Math.round((at - now.since) / 1000);
      return { note: `waits for ${seconds} s: ${now.why.join('; ')}` };
    }
    case 'starting':
      return { node: nameOf(now.claim.node), note: 'its process is being started' };
    case 'running':
      return { node: nameOf(now.claim.node), startedAt: now.startedAt };
    case 'ended':
      return {
        endedAt: now.at,
        ...(now.node === undefined ? {} : { node: now.node }),
        ...(now.startedAt === undefined ? {} : { startedAt: now.startedAt }),
      };
  }
}

type Ending = Pick<JobStatus, 'note' | 'exitCode' | 'result'>;

const endOf = ({ message, exitCode, result }: JobEnd): Ending => ({
  ...(message === undefined ? {} : { note: message }),
  ...(exitCode === undefined ? {} : { exitCode }),
  ...(result === undefined ? {} : { result: JSON.parse(result) as unknown }),
});

const entrypointOf = (entry: JobEntry): string =>
  entry.kind === 'command'
    ? entry.command
    : `${entry.file} ${entry.exportName}(${entry.args.slice(1, -1)})`;
