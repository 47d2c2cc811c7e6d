import test from 'ava';
import type { JobId, NodeId } from '../../../runtime/ids.js';
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
