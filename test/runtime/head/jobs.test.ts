import test from 'ava';
import type { Effect } from '../../../runtime/head/brain.js';
import type { JobId, ProcessId } from '../../../runtime/ids.js';
import { type Resources, toQuantities } from '../../../runtime/resources.js';
import type { JobEnd, JobSpec, JobStatus } from '../../../runtime/wire/job-spec.js';
import type { Message } from '../../../runtime/wire/messages.js';
import {
  type Asked,
  agentOf,
  answer,
  driver,
  groupOf,
  HeadScript,
  refusalOf,
  starts,
  stops,
} from '../../helpers/head-events.js';

const specOf = (command: string, resources: Resources = {}): JobSpec => ({
  entry: { kind: 'command', command, env: {} },
  resources: toQuantities(resources),
  metadata: {},
});

/** A head that is asked about jobs. */
class JobScript extends HeadScript {
  #id = 1_000;

  ask(body: (id: number) => Message, from: ProcessId = driver): Asked {
    const id = this.#id++;
    return { id, effects: this.message(from, body(id)) };
  }

  submit(job: string, spec: JobSpec = specOf('true'), from: ProcessId = driver): Asked {
    return this.ask((id) => ({ kind: 'job.submit', id, job, spec }), from);
  }

  of(kind: 'job.status' | 'job.wait' | 'job.kill' | 'job.delete', job: string): Asked {
    return this.ask((id) => ({ kind, id, job: job as JobId }));
  }

  status(job: string): JobStatus {
    const { id, effects } = this.of('job.status', job);
    return (answer(effects, id) as { value: JobStatus }).value;
  }

  joinJob(job: string, from: ProcessId): Asked {
    return this.ask((id) => ({ kind: 'job.join', id, job: job as JobId }), from);
  }

  started(job: string, ...members: readonly string[]): readonly Effect[] {
    return this.message(agentOf('a'), {
      kind: 'job.started',
      job: job as JobId,
      submittedAt: this.submittedAt(job),
      members: members as readonly ProcessId[],
    });
  }

  ended(job: string, end: JobEnd = { phase: 'succeeded' }): readonly Effect[] {
    const submittedAt = this.submittedAt(job);
    return this.message(agentOf('a'), { kind: 'job.exited', job: job as JobId, submittedAt, end });
  }

  submittedAt(job: string): number {
    return this.state.jobs.get(job as JobId)?.submittedAt ?? 0;
  }
}

const kindsTo = (effects: readonly Effect[], process: string): readonly string[] =>
  effects.filter(({ to }) => to === process).map(({ send }) => send.kind);

test('a job is placed, started, and ends; its resources are held meanwhile', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 2 });
  const { id, effects } = head.submit('j', specOf('true', { cpu: 2 }));
  t.deepEqual(answer(effects, id), { value: 'j' });
  t.deepEqual(kindsTo(effects, agentOf('a')), ['job.start']);
  t.like(head.status('j'), { phase: 'pending', note: 'its process is being started', node: 'a' });
  head.at = 5;
  head.started('j');
  t.like(head.status('j'), { phase: 'running', startedAt: 5, node: 'a' });
  t.deepEqual(head.free, { a: { cpu: 0 } });
  head.at = 9;
  head.ended('j', { phase: 'failed', message: 'why', exitCode: 3 });
  t.like(head.status('j'), { phase: 'failed', note: 'why', exitCode: 3, startedAt: 5, endedAt: 9 });
  t.deepEqual(head.free, { a: { cpu: 2 } });
  // Late news of a job that is over changes nothing.
  head.ended('j');
  t.is(head.status('j').phase, 'failed');
  t.deepEqual(head.free, { a: { cpu: 2 } });
});

test('an id is made where none is given, and no two jobs share one', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 });
  const [one, two] = [head.submit(''), head.submit('')].map(
    ({ id, effects }) => (answer(effects, id) as { value: string }).value,
  );
  t.regex(one!, /^job-\w{12}$/);
  t.not(one, two);
  const first = head.submit('x', specOf('echo 1'));
  const again = head.submit('x', specOf('echo 1'));
  t.deepEqual(kindsTo(first.effects, agentOf('a')), ['job.start']);
  t.deepEqual(kindsTo(again.effects, agentOf('a')), []);
  t.regex(refusalOf(head.submit('x', specOf('echo 2'))) ?? '', /^E_NAME_TAKEN: /);
});

test('a job waits for resources, and says why', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 });
  const actor = head.living();
  head.submit('j', specOf('true', { cpu: 1 }));
  head.at = 4_000;
  const { phase, note } = head.status('j');
  t.deepEqual([phase, note], ['pending', 'waits for 4 s: node a: needs 1 cpu, has 0']);
  t.deepEqual(kindsTo(head.exited(actor), agentOf('a')), ['job.start']);
});

test('a job that no node can hold is refused and forgotten', (t) => {
  const head = new JobScript();
  t.regex(refusalOf(head.submit('j')) ?? '', /^E_NO_ROOM: .*no node yet/);
  head.join('a', { cpu: 1 });
  const refused = head.submit('j', specOf('true', { cpu: 2 }));
  t.regex(refusalOf(refused) ?? '', /^E_NO_ROOM: no node can hold the job: node a: needs 2 cpu/);
  t.is(head.state.jobs.size, 0);
});

test('a job runs on nodes with its labels only, also after a restart of the head', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 }, [], { zone: 'eu' });
  head.join('b', { cpu: 4 }, [], { zone: 'us' });
  const spec = { ...specOf('true', { cpu: 1 }), labelSelector: { zone: 'eu' } };
  t.deepEqual(kindsTo(head.submit('first', spec).effects, agentOf('a')), ['job.start']);
  head.started('first');
  head.submit('second', spec);
  t.like(head.status('second'), { phase: 'pending', labelSelector: { zone: 'eu' } });
  head.crash();
  head.rejoin('b');
  t.is(head.status('second').phase, 'pending');
  head.rejoin('a', [], { jobs: [living('first')] });
  t.deepEqual(kindsTo(head.ended('first'), agentOf('a')), ['job.start']);
  const nowhere = head.submit('third', { ...spec, labelSelector: { zone: 'asia' } });
  t.regex(refusalOf(nowhere) ?? '', /^E_NO_ROOM: .*label zone is eu, wanted asia/);
});

test('a process that worked for a job and has no link is forgotten with it', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 });
  head.submit('j');
  head.started('j', 'host');
  t.is(head.state.members.size, 1);
  t.deepEqual(kindsTo(head.ended('j'), 'host' as ProcessId), ['job.over']);
  t.is(head.state.members.size, 0);
});

test('drivers that have joined a job lose what they own when it ends, and may make no more', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 9 });
  const mine = 'mine' as ProcessId;
  head.joined(mine);
  head.submit('j');
  const joined = head.joinJob('j', mine);
  t.deepEqual(answer(joined.effects, joined.id), { value: null });
  const own = head.living({ from: mine });
  const detached = head.living({ from: mine, name: 'd', detached: true });
  const other = head.living();
  const asked = head.group([{ cpu: 1 }], 'pack', mine);
  const group = groupOf(answer(asked.effects, asked.id));
  const effects = head.ended('j');
  t.deepEqual(
    stops(effects).map(({ actor }) => actor),
    [own],
  );
  t.is(head.state.groups.get(group), undefined);
  t.deepEqual(kindsTo(effects, mine), ['job.over']);
  t.deepEqual([head.phase(detached), head.phase(other)], ['alive', 'alive']);
  t.regex(refusalOf(head.create({ from: mine })) ?? '', /^E_JOB_STATE: job j/);
  t.regex(refusalOf(head.group([{}], 'pack', mine)) ?? '', /^E_JOB_STATE: /);
  t.regex(refusalOf(head.joinJob('j', 'late' as ProcessId)) ?? '', /^E_JOB_STATE: .*PATCHBAY_JOB/);
  // Also when the head has forgotten the job.
  head.of('job.delete', 'j');
  t.regex(refusalOf(head.create({ from: mine })) ?? '', /^E_JOB_STATE: /);
  head.left(mine, 'driver');
  t.is(head.state.members.size, 0);
});

test('the host of a function works for its job', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 9 });
  head.submit('j');
  head.started('j', 'host');
  const own = head.living({ from: 'host' as ProcessId });
  t.deepEqual(
    stops(head.ended('j')).map(({ actor }) => actor),
    [own],
  );
});

test('a lost node fails its jobs, and what worked for them elsewhere ends', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 });
  head.submit('j');
  head.started('j');
  head.joinJob('j', 'far' as ProcessId);
  const own = head.living({ from: 'far' as ProcessId, resources: {} });
  head.join('b', { cpu: 1 });
  const elsewhere = starts(head.create({ from: 'far' as ProcessId }).effects)[0]!.actor;
  head.alive(elsewhere);
  const effects = head.left(agentOf('a'), 'agent', 'cable cut');
  t.like(head.status('j'), { phase: 'failed', note: 'its node a was lost (cable cut)', node: 'a' });
  t.not(head.phase(own), 'alive');
  t.deepEqual(kindsTo(effects, 'far'), ['job.over']);
});

test('a stop is answered when the job is over, whoever asks and however often', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 });
  head.submit('j');
  const [one, two] = [head.of('job.kill', 'j'), head.of('job.kill', 'j')];
  t.deepEqual(kindsTo(one.effects, agentOf('a')), ['job.stop']);
  t.deepEqual(two.effects, []);
  const waiter = head.of('job.wait', 'j');
  const effects = head.ended('j', { phase: 'stopped' });
  for (const { id } of [one, two, waiter]) {
    t.like(answer(effects, id), { value: { id: 'j', phase: 'stopped' } });
  }
  const late = head.of('job.kill', 'j');
  t.like(answer(late.effects, late.id), { value: { phase: 'stopped' } });
});

test('whoever gave up waiting, or has left, is not answered', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 });
  head.submit('j');
  const { id } = head.of('job.wait', 'j');
  head.cancel(id);
  head.ask((other) => ({ kind: 'job.wait', id: other, job: 'j' as JobId }), 'gone' as ProcessId);
  head.left('gone', 'driver');
  t.deepEqual(head.ended('j'), []);
});

test('unknown jobs are named, and one that runs is not forgotten', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 });
  head.submit('j');
  for (const kind of ['job.status', 'job.wait', 'job.kill', 'job.delete'] as const) {
    t.regex(refusalOf(head.of(kind, 'who')) ?? '', /^E_JOB_UNKNOWN: no job who/);
  }
  t.regex(refusalOf(head.of('job.delete', 'j')) ?? '', /^E_JOB_STATE: .*stop it first/);
});

test('of jobs that have ended the newest are remembered, and all that have not', (t) => {
  const head = new JobScript({ maxJobs: 2 });
  head.join('a', { cpu: 1 });
  for (const job of ['one', 'two', 'three', 'four', 'five']) head.submit(job);
  for (const [at, job] of ['four', 'one', 'three'].entries()) {
    head.at = at;
    head.ended(job);
  }
  t.deepEqual([...head.state.jobs.keys()], ['one', 'two', 'three', 'five']);
  const { id, effects } = head.ask((asked) => ({ kind: 'job.list', id: asked }));
  const { value } = answer(effects, id) as { value: readonly JobStatus[] };
  t.deepEqual(
    value.map((job) => job.id as string),
    ['five', 'three', 'two', 'one'],
  );
});

test('what a job is made of is plain data', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 });
  head.submit('j', specOf('true'));
  head.started('j');
  const record = head.state.jobs.get('j' as JobId)!;
  t.deepEqual(structuredClone(record), record);
});

// All are submitted at the beginning of time.
const living = (job: string, isStarted = true, members: readonly string[] = []) => ({
  job: job as JobId,
  submittedAt: 0,
  members: members as readonly ProcessId[],
  isStarted,
});

test('a restarted head has its jobs: running ones go on, waiters who ask again hear the end', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 4 });
  head.submit('runs', specOf('true', { cpu: 1 }));
  head.started('runs', 'worker');
  head.submit('starts', specOf('true', { cpu: 1 }));
  head.submit('lost', specOf('true', { cpu: 1 }));
  head.started('lost');
  head.submit('over', specOf('true', { cpu: 1 }));
  head.started('over');
  head.crash();
  const wait = head.of('job.wait', 'runs');
  const end = { phase: 'failed', message: 'exit code 3', exitCode: 3 } as const;
  const effects = head.rejoin('a', [], {
    jobs: [living('runs')],
    jobExits: [{ job: 'over' as JobId, submittedAt: 0, end }],
  });
  t.deepEqual(
    effects.map(({ send }) => send.kind),
    ['job.start'],
  );
  t.is(head.status('lost').note, 'it ended while the head was away');
  t.is(head.status('over').exitCode, 3);
  t.deepEqual(head.free, { a: { cpu: 2 } });
  // It may create nothing after the end, as before.
  t.like(answer(head.ended('runs'), wait.id), { value: { phase: 'succeeded' } });
  t.regex(refusalOf(head.create({ from: 'worker' as ProcessId }))!, /E_JOB_STATE/);
  head.ended('starts');
  t.deepEqual(head.free, { a: { cpu: 4 } });
});

test('how an earlier job with the same id ended does not end the new one', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 4 });
  head.submit('nightly');
  head.started('nightly');
  head.ended('nightly');
  head.of('job.delete', 'nightly');
  head.tick(5_000);
  head.submit('nightly');
  // The agent has not heard of the new one, but the old one it remembers.
  head.crash();
  const old = { job: 'nightly' as JobId, submittedAt: 0 };
  const effects = head.rejoin('a', [], {
    jobExits: [{ ...old, end: { phase: 'failed', message: 'of yesterday' } }],
  });
  t.like(effects.find(({ send }) => send.kind === 'job.start')?.send, { submittedAt: 5_000 });
  head.message(agentOf('a'), { kind: 'job.started', ...old, members: [] });
  head.message(agentOf('a'), { kind: 'job.exited', ...old, end: { phase: 'stopped' } });
  t.is(head.state.jobs.get(old.job)!.state.phase, 'starting');
  head.started('nightly');
  head.ended('nightly');
  t.is(head.status('nightly').phase, 'succeeded');
});

test('a job is not submitted twice, and one that was to stop is told again', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 4 });
  const message = { kind: 'job.submit', id: 7, job: '', spec: specOf('true') } as const;
  const first = answer(head.message(driver, message), 7) as { value: JobId };
  head.started(first.value);
  head.of('job.kill', first.value);
  head.crash();
  t.deepEqual(answer(head.message(driver, message), 7), first);
  t.is(head.state.jobs.size, 1);
  const effects = head.rejoin('a', [], { jobs: [living(first.value)] });
  t.deepEqual(
    effects.map(({ send }) => send),
    [{ kind: 'job.stop', job: first.value }],
  );
});

test('a job whose node does not come back has failed', (t) => {
  const head = new JobScript();
  head.join('a', { cpu: 1 });
  head.submit('j');
  head.started('j');
  head.crash();
  head.tick(60_000);
  t.regex(head.status('j').note!, /its node a was lost \(not back 60 s after/);
});

for (const kind of ['job.wait', 'job.kill'] as const) {
  test(`a ${kind} that is given up is answered once, so that nobody keeps it`, (t) => {
    const head = new JobScript();
    head.join('a', { cpu: 1 });
    head.submit('j');
    head.started('j');
    const { id } = head.of(kind, 'j');
    t.regex(refusalOf({ id, effects: head.cancel(id) }) ?? '', /^E_ABORTED: /);
    t.is(answer(head.cancel(id), id), undefined);
    t.is(answer(head.ended('j'), id), undefined);
  });
}
