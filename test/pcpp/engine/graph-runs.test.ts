import test from 'ava';
import { graphRuns } from '../../../pcpp/engine/graph-runs.js';

const stepsOf = (warmup: 'whole' | 'patch', warmupSteps: number, evaluations: number): number[] => {
  const { firstOf, stepOf } = graphRuns({ warmup, warmupSteps });
  return Array.from({ length: firstOf(evaluations) }, (_, run) => stepOf(run));
};

test('each step is one run, but warm-up steps by patches are two after the first', (t) => {
  t.deepEqual(stepsOf('whole', 3, 5), [0, 1, 2, 3, 4]);
  t.deepEqual(stepsOf('patch', 3, 5), [0, 1, 1, 2, 2, 3, 4]);
  t.deepEqual(stepsOf('patch', 1, 3), [0, 1, 2]);
  t.deepEqual(stepsOf('patch', 3, 3), [0, 1, 1, 2, 2]);
});

test('runs before an image and behind it are of no step of it', (t) => {
  const { firstOf, stepOf } = graphRuns({ warmup: 'patch', warmupSteps: 3 });
  t.is(stepOf(-1), -1);
  t.is(stepOf(firstOf(5)), 5);
});
