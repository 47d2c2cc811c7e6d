import test from 'ava';
import { TaskStop } from '../../../runtime/task/task-stop.js';

const never = new Promise<never>(() => undefined);

test('a task that is given up rejects at once, with why', async (t) => {
  const stop = new TaskStop({});
  const waiting = stop.settle(never, 'f', undefined);
  stop.stop('enough');
  await t.throwsAsync(waiting, { code: 'E_ABORTED', message: 'task f was cancelled' });
  t.true(stop.signal.aborted);
  t.is(stop.signal.reason, 'enough');
  await t.throwsAsync(stop.given('f', undefined), { code: 'E_ABORTED' });
});

test('a time that has passed is an E_TIMEOUT, also for a value that would come later', async (t) => {
  const stop = new TaskStop({ timeoutMs: 1 });
  await t.throwsAsync(stop.settle(never, 'f', 1), {
    code: 'E_TIMEOUT',
    message: 'task f took longer than 1 ms',
  });
  t.true(stop.isStopped);
});

test('what is over listens to nobody any more', async (t) => {
  const controller = new AbortController();
  const { signal } = controller;
  const settled = new TaskStop({ signal });
  await settled.settle(Promise.resolve(1), 'f', undefined);
  const stopped = new TaskStop({ signal });
  stopped.stop();
  controller.abort();
  t.false(settled.isStopped);
  t.true(stopped.isStopped);
});

test('the signal of a task that was given up before it ran is aborted from the start', (t) => {
  const signal = AbortSignal.abort('before');
  const stop = new TaskStop({ signal }, null);
  t.true(stop.isStopped);
  t.is(stop.signal.reason, 'before');
});
