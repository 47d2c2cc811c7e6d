import test from 'ava';
import type { ActorId, JobId, NodeId } from '../../../runtime/ids.js';
import type { JobSpec } from '../../../runtime/wire/job-spec.js';
import { NodeRoll } from '../../../runtime/worker/node-roll.js';

const spec: JobSpec = {
  entry: { kind: 'command', command: 'true', env: {} },
  resources: {},
  metadata: {},
};

test('what a restarted head is told of jobs that have ended is bounded, the newest stay', (t) => {
  const roll = new NodeRoll();
  const end = (n: number, characters: number): void => {
    const job = `j${n}` as JobId;
    roll.jobBegins({ kind: 'job.start', job, submittedAt: n, spec, gpus: [] });
    const result = 'x'.repeat(characters);
    roll.told({ kind: 'job.exited', job, submittedAt: n, end: { phase: 'succeeded', result } });
  };
  const told = (): readonly string[] => roll.tell('n' as NodeId).jobExits.map(({ job }) => job);
  for (let n = 0; n < 300; n++) end(n, 1);
  t.is(told().length, 200);
  t.is(told().at(-1), 'j299');
  for (let n = 300; n < 400; n++) end(n, 256 * 1024);
  t.is(told().length, 64);
  t.is(told().at(-1), 'j399');
});

test('the last snapshot of each actor is told until a head has said that it is kept', (t) => {
  const roll = new NodeRoll();
  const [a, b] = ['a', 'b'] as [ActorId, ActorId];
  const of = (actor: ActorId, n: number) =>
    ({ kind: 'actor.snapshot', actor, state: Uint8Array.of(n) }) as const;
  for (const snapshot of [of(a, 1), of(b, 2), of(a, 3)]) roll.snapshot(snapshot);
  const told = roll.snapshots;
  t.deepEqual(told, [of(a, 3), of(b, 2)]);
  // The link died: the next head is told the same.
  t.deepEqual(roll.snapshots, told);
  const newer = of(b, 4);
  roll.snapshot(newer);
  roll.kept(told);
  t.deepEqual(roll.snapshots, [newer]);
  roll.kept([newer]);
  t.deepEqual(roll.snapshots, []);
});
