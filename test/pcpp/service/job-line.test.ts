import test from 'ava';
import { JobLine } from '../../../pcpp/service/job-line.js';

const never = new AbortController().signal;

test('the highest priority is next, and among equals whoever came first', async (t) => {
  const line = new JobLine();
  const leave = await line.turn(0, never);
  const order: string[] = [];
  const job = async (name: string, priority: number): Promise<void> => {
    const done = await line.turn(priority, never);
    order.push(name);
    done();
  };
  const jobs = [job('a', 0), job('b', 1), job('c', 0), job('d', 1), job('e', -1)];
  t.is(line.waiting, 5);
  t.deepEqual(
    [2, 1, 0, -2].map((priority) => line.ahead(priority)),
    [1, 3, 5, 6],
  );
  leave();
  await Promise.all(jobs);
  t.deepEqual(order, ['b', 'd', 'a', 'c', 'e']);
  t.false(line.isBusy);
  t.is(line.ahead(0), 0);
});

test('who is given up while waiting is not in the line any more', async (t) => {
  const line = new JobLine();
  const leave = await line.turn(0, never);
  const stop = new AbortController();
  const given = line.turn(1, stop.signal);
  const next = line.turn(0, never);
  stop.abort(new Error('no longer'));
  const error = await t.throwsAsync(given, { code: 'E_ABORTED' });
  t.is(error?.cause instanceof Error && error.cause.message, 'no longer');
  t.is(line.waiting, 1);
  leave();
  (await next)();
  t.false(line.isBusy);
  await t.throwsAsync(async () => {
    const first = await line.turn(0, never);
    try {
      await line.turn(0, AbortSignal.abort());
    } finally {
      first();
    }
  });
  t.false(line.isBusy);
});
