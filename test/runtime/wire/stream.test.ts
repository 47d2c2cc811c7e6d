import test from 'ava';
import { InboundStream, streamWindow } from '../../../runtime/wire/stream.js';

interface Opened {
  readonly stream: InboundStream;
  readonly items: AsyncGenerator<number>;
  readonly log: (number | 'cancel')[];
}

function opened(signal?: AbortSignal): Opened {
  const log: (number | 'cancel')[] = [];
  const stream = new InboundStream({
    credit: (count) => log.push(count),
    cancel: () => log.push('cancel'),
  });
  const items = stream.items<number>(signal, () => new Error('aborted'));
  return { stream, items, log };
}

test('items arrive in order, before and after they are asked for', async (t) => {
  const { stream, items, log } = opened();
  stream.push(1);
  t.deepEqual(await items.next(), { value: 1, done: false });
  const later = items.next();
  stream.push(2);
  t.deepEqual(await later, { value: 2, done: false });
  stream.push(3);
  stream.end();
  t.deepEqual(await items.next(), { value: 3, done: false });
  t.true((await items.next()).done);
  t.deepEqual(log, []);
});

test('credit returns half a window at a time, for consumed items only', async (t) => {
  const { stream, items, log } = opened();
  for (let n = 0; n < streamWindow; n++) stream.push(n);
  for (let n = 0; n < streamWindow / 2; n++) await items.next();
  t.deepEqual(log, []);
  await items.next();
  t.deepEqual(log, [streamWindow / 2]);
});

test('an error comes after the items that were sent before it, and the producer may stop', async (t) => {
  const { stream, items, log } = opened();
  stream.push(1);
  stream.fail(new Error('broken'));
  t.is((await items.next()).value, 1);
  await t.throwsAsync(items.next(), { message: 'broken' });
  t.deepEqual(log, ['cancel']);
});

test('leaving early cancels', async (t) => {
  const { stream, items, log } = opened();
  stream.push(1);
  stream.push(2);
  for await (const item of items) {
    t.is(item, 1);
    break;
  }
  t.deepEqual(log, ['cancel']);
});

test('an abort overtakes what waits, and cancels once', async (t) => {
  const controller = new AbortController();
  const { stream, items, log } = opened(controller.signal);
  stream.push(1);
  stream.push(2);
  t.is((await items.next()).value, 1);
  controller.abort();
  await t.throwsAsync(items.next(), { message: 'aborted' });
  t.deepEqual(log, ['cancel']);
});

test('an abort cancels although the consumer is busy elsewhere', async (t) => {
  const controller = new AbortController();
  const { stream, items, log } = opened(controller.signal);
  stream.push(1);
  await items.next();
  controller.abort();
  t.deepEqual(log, ['cancel']);
  await items.return(undefined);
  t.deepEqual(log, ['cancel']);
});

test('an abort after the end changes nothing', async (t) => {
  const controller = new AbortController();
  const { stream, items, log } = opened(controller.signal);
  stream.end();
  t.true((await items.next()).done);
  controller.abort();
  t.deepEqual(log, []);
});

test('a stream that is aborted beforehand is cancelled without an item', async (t) => {
  const { stream, items, log } = opened(AbortSignal.abort());
  stream.push(1);
  await t.throwsAsync(items.next(), { message: 'aborted' });
  t.deepEqual(log, ['cancel']);
});
