/** The life of jobs, as the head decides it: submitted, placed, running, ended. Whatever works for a job ends with it. */

import { isDeepStrictEqual } from 'node:util';
import { RuntimeError } from '../errors.js';
import { type JobId, newJobId, type ProcessId } from '../ids.js';
import type { JobEnd, JobSpec } from '../wire/job-spec.js';
import type { MessageOf } from '../wire/messages.js';
import { whyWrong } from './job-check.js';
import { jobStatus } from './job-status.js';
import { endOwned } from './owners.js';
import { type Placement, placeOne } from './place.js';
import { claim, release } from './room.js';
import { type Claim, type JobRecord, madeBy, type NodeRecord, type Request } from './state.js';
import type { Turn } from './turn.js';

export function submitJob(
  turn: Turn,
  request: Request,
  { job: wanted, spec }: MessageOf<'job.submit'>,
): void {
  const submitted = madeBy(turn.state.jobs.values(), request);
  if (submitted) {
    turn.reply(request, submitted.id);
    return;
  }
  const wrong = whyWrong(wanted, spec);
  if (wrong) {
    turn.fail(request, new RuntimeError('E_OPTION', wrong));
    return;
  }
  const known = turn.state.jobs.get(wanted as JobId);
  if (known) {
    const text = `there is another job with the id ${wanted}; choose another id, or delete that job`;
    // Whoever lost the answer may ask again.
    if (isDeepStrictEqual(known.spec, spec)) turn.reply(request, known.id);
    else turn.fail(request, new RuntimeError('E_NAME_TAKEN', text));
    return;
  }
  const placement = placeOf(turn, spec);
  if (!placement.ok && placement.never) {
    turn.fail(request, new RuntimeError('E_NO_ROOM', noRoom(placement.why)));
    return;
  }
  const id = wanted === '' ? newJobId() : (wanted as JobId);
  turn.state.jobs.set(id, {
    id,
    spec,
    submittedAt: turn.at,
    creator: request,
    waiters: [],
    isStopping: false,
    state: { phase: 'pending', since: turn.at, why: [] },
  });
  turn.touched.jobs.add(id);
  turn.reply(request, id);
  turn.hasChanged = true;
}

const noRoom = (why: readonly string[]): string => `no node can hold the job: ${why.join('; ')}`;

const placeOf = ({ state }: Turn, spec: JobSpec): Placement<NodeRecord> =>
  placeOne([...state.nodes.values()], spec.resources, { labels: spec.labelSelector });

/** Give a pending job its place, leave it pending, or fail it if no node is left that could hold it. */
export function placeJob(turn: Turn, job: JobRecord): void {
  if (job.state.phase !== 'pending') return;
  const { resources } = job.spec;
  const placement = placeOf(turn, job.spec);
  if (placement.ok) {
    startJob(turn, job, claim(placement.place, placement.place.id, resources));
  } else if (placement.never) {
    endJob(turn, job, { phase: 'failed', message: noRoom(placement.why) });
  } else {
    job.state = { ...job.state, why: placement.why };
  }
}

export function startJob(turn: Turn, job: JobRecord, taken: Claim): void {
  const node = turn.state.nodes.get(taken.node)!;
  job.state = { phase: 'starting', claim: taken };
  turn.touched.jobs.add(job.id);
  const gpus = [...taken.gpus.keys()];
  const { id, submittedAt, spec } = job;
  turn.send(node.agent, { kind: 'job.start', job: id, submittedAt, spec, gpus });
}

/** The job of which an agent speaks, unless that is an earlier one with the same id. */
export function jobOf(turn: Turn, { job: id, submittedAt }: ToldOfJob): JobRecord | undefined {
  const job = turn.state.jobs.get(id);
  return job?.submittedAt === submittedAt ? job : undefined;
}

type ToldOfJob = Pick<MessageOf<'job.exited'>, 'job' | 'submittedAt'>;

export function jobStarted(turn: Turn, told: Omit<MessageOf<'job.started'>, 'kind'>): void {
  const job = jobOf(turn, told);
  if (job?.state.phase !== 'starting') return;
  job.state = { phase: 'running', claim: job.state.claim, startedAt: turn.at };
  turn.touched.jobs.add(job.id);
  for (const process of told.members) turn.state.members.set(process, job.id);
}

/** A driver that the job has started. */
export function joinJob(turn: Turn, request: Request, id: JobId): void {
  const job = knownJob(turn, request, id);
  if (!job) return;
  if (job.state.phase === 'ended') {
    const text = `job ${id} has ended; unset PATCHBAY_JOB to connect on your own behalf`;
    turn.fail(request, new RuntimeError('E_JOB_STATE', text));
    return;
  }
  turn.state.members.set(request.from, id);
  turn.touched.jobs.add(id);
  turn.reply(request, null);
}

/** The process is gone. */
export function leaveJob(turn: Turn, process: ProcessId): void {
  const job = turn.state.members.get(process);
  if (job === undefined) return;
  turn.state.members.delete(process);
  turn.touched.jobs.add(job);
}

/** What works for a job that has ended is told so, and may create nothing any more. */
export function mayCreate(turn: Turn, request: Request): boolean {
  const id = turn.state.members.get(request.from);
  const isLate = id !== undefined && (turn.state.jobs.get(id)?.state.phase ?? 'ended') === 'ended';
  const text = `job ${id}, for which this process works, has ended`;
  if (isLate) turn.fail(request, new RuntimeError('E_JOB_STATE', text));
  return !isLate;
}

export function tellJob(turn: Turn, request: Request, id: JobId): void {
  const job = knownJob(turn, request, id);
  if (job) turn.reply(request, jobStatus(turn.state, job, turn.at));
}

export function waitForJob(turn: Turn, request: Request, id: JobId): void {
  const job = knownJob(turn, request, id);
  if (job?.state.phase === 'ended') turn.reply(request, jobStatus(turn.state, job, turn.at));
  else job?.waiters.push(request);
}

export function killJob(turn: Turn, request: Request, id: JobId): void {
  waitForJob(turn, request, id);
  const job = turn.state.jobs.get(id);
  if (!job || job.isStopping) return;
  switch (job.state.phase) {
    case 'pending':
      endJob(turn, job, { phase: 'stopped' });
      return;
    case 'starting':
    case 'running': {
      job.isStopping = true;
      turn.touched.jobs.add(id);
      const node = turn.state.nodes.get(job.state.claim.node);
      if (node) turn.send(node.agent, { kind: 'job.stop', job: id });
      return;
    }
    case 'ended':
      return;
  }
}

export function deleteJob(turn: Turn, request: Request, id: JobId): void {
  const job = knownJob(turn, request, id);
  if (!job) return;
  if (job.state.phase === 'ended') {
    turn.state.jobs.delete(id);
    turn.touched.jobs.add(id);
    turn.reply(request, null);
  } else {
    turn.fail(request, new RuntimeError('E_JOB_STATE', `job ${id} has not ended; stop it first`));
  }
}

/** The process is gone, or has given up waiting for `id`. */
export function forgetWaiter(turn: Turn, process: ProcessId, id?: number): void {
  for (const job of turn.state.jobs.values()) {
    job.waiters = job.waiters.filter(
      (request) => request.from !== process || (id !== undefined && request.id !== id),
    );
  }
}

/** No process of the job is left on its node: what works for it elsewhere ends now. */
export function endJob(turn: Turn, job: JobRecord, end: JobEnd): void {
  const { state: before } = job;
  if (before.phase === 'ended') return;
  const node = 'claim' in before ? turn.state.nodes.get(before.claim.node) : undefined;
  if (node && 'claim' in before) release(node, before.claim);
  job.state = {
    phase: 'ended',
    at: turn.at,
    end,
    ...(node ? { node: node.name } : {}),
    ...(before.phase === 'running' ? { startedAt: before.startedAt } : {}),
  };
  turn.touched.jobs.add(job.id);
  const why = `its job ${job.id} has ended (${end.phase})`;
  for (const [process, id] of turn.state.members) {
    if (id !== job.id) continue;
    endOwned(turn, process, why);
    turn.send(process, { kind: 'job.over', job: job.id, why });
    // One without a link will not leave; after a restart of the head it may still come back.
    const mayLeave = turn.state.ownersUntil !== undefined || turn.state.present.has(process);
    if (!mayLeave) turn.state.members.delete(process);
  }
  for (const request of job.waiters) turn.reply(request, jobStatus(turn.state, job, turn.at));
  job.waiters = [];
  turn.hasChanged = true;
  forgetOldest(turn);
}

function forgetOldest({ state: { jobs }, settings: { maxJobs }, touched }: Turn): void {
  const ended = [...jobs.values()].flatMap(({ id, state }) =>
    state.phase === 'ended' ? [{ id, at: state.at }] : [],
  );
  ended.sort((a, b) => a.at - b.at);
  for (const { id } of ended.slice(0, Math.max(0, ended.length - maxJobs))) {
    jobs.delete(id);
    touched.jobs.add(id);
  }
}

function knownJob(turn: Turn, request: Request, id: JobId): JobRecord | undefined {
  const job = turn.state.jobs.get(id);
  const text = `no job ${id} is known (any more)`;
  if (!job) turn.fail(request, new RuntimeError('E_JOB_UNKNOWN', text));
  return job;
}
