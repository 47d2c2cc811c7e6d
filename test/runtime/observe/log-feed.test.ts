import test from 'ava';
import type { ActorId } from '../../../runtime/ids.js';
import { ActorLog, logLimits } from '../../../runtime/observe/actor-log.js';
import { LineCutter, maxLineLength } from '../../../runtime/observe/line-cutter.js';
import { LogFeed } from '../../../runtime/observe/log-feed.js';
import type { LogBatch, OutputLine } from '../../../runtime/observe/reports.js';
import { until } from '../../helpers/until.js';

const actor = 'a' as ActorId;
const texts = (lines: readonly OutputLine[]): readonly string[] => lines.map(({ text }) => text);

test('lines come out whole, however the text was cut into pieces', (t) => {
  const text = 'one\ntwo\r\n\nfour\n';
  for (let size = 1; size <= text.length; size++) {
    const cutter = new LineCutter();
    const lines: string[] = [];
    for (let at = 0; at < text.length; at += size) {
      lines.push(...cutter.push(text.slice(at, at + size)));
    }
    t.deepEqual(lines, ['one', 'two', '', 'four']);
    t.deepEqual(cutter.end(), []);
  }
});

test('a line that is too long is cut once, and the next one is whole', (t) => {
  const long = 'x'.repeat(maxLineLength);
  const whole = new LineCutter();
  t.deepEqual(whole.push(`${long}\n${long}y\n`), [long, `${long} [line cut]`]);
  const pieces = new LineCutter();
  t.deepEqual(pieces.push(`${long}y`), [`${long} [line cut]`]);
  for (let piece = 0; piece < 100; piece++) t.deepEqual(pieces.push(long), []);
  t.deepEqual(pieces.push('the end of it\nnext\nunfinished'), ['next']);
  t.deepEqual(pieces.end(), ['unfinished']);
});

test('a burst passes, then so many lines a second, and drops are told once a second', (t) => {
  let now = 0;
  const limits = { ...logLimits, linesPerSecond: 10, burstLines: 5 };
  const log = new ActorLog(limits, () => now);
  const say = (lines: number): void => {
    for (let line = 0; line < lines; line++) log.push('stdout', `${line}\n`, 1e6);
  };
  say(8);
  t.deepEqual(texts(log.take()), [
    '0',
    '1',
    '2',
    '3',
    '4',
    '[3 lines dropped: more than can be passed on]',
  ]);
  now = 100;
  say(3);
  t.deepEqual(texts(log.take()), ['0']);
  t.false(log.isEmpty);
  now = 1_000;
  t.deepEqual(texts(log.take()), ['[2 lines dropped: more than can be passed on]']);
  t.true(log.isEmpty);
  t.is(log.dropped, 5);
  now = 60_000;
  say(6);
  t.deepEqual(texts(log.end()).at(-1), '[1 line dropped: more than can be passed on]');
});

test('what waits is bounded in characters', (t) => {
  const log = new ActorLog(logLimits, () => 0);
  log.push('stderr', 'four\nfour\nfour\n', 10);
  t.deepEqual(texts(log.take()), ['four', 'four', '[1 line dropped: more than can be passed on]']);
});

/** Takes batches, and answers when it is told to. */
class Receiver {
  readonly batches: LogBatch[] = [];
  readonly #answers: (() => void)[] = [];
  readonly #later: (() => void)[] = [];
  readonly send = (batch: LogBatch): Promise<void> => {
    this.batches.push(batch);
    return new Promise((resolve) => this.#answers.push(resolve));
  };

  readonly later = (run: () => void): (() => void) => {
    this.#later.push(run);
    return () => undefined;
  };

  /** The time for which lines wait has passed. */
  async pass(): Promise<void> {
    for (const run of this.#later.splice(0)) run();
    await new Promise(setImmediate);
  }

  async answer(): Promise<void> {
    for (const answer of this.#answers.splice(0)) answer();
    await new Promise(setImmediate);
  }
}

test('no more is sent before the last was taken, but last words are', async (t) => {
  const head = new Receiver();
  const feed = new LogFeed({ node: 'n', send: head.send, later: head.later, clock: () => 0 });
  const print = feed.open(actor, 'Counter');
  print('stdout', 'one\n');
  await head.pass();
  t.deepEqual(head.batches[0], {
    actor,
    label: 'Counter',
    node: 'n',
    lines: [{ stream: 'stdout', text: 'one' }],
  });
  print('stdout', 'two\n');
  print('stderr', 'thr');
  await head.pass();
  t.is(head.batches.length, 1);
  await head.answer();
  await head.pass();
  t.is(head.batches.length, 2);
  print('stderr', 'ee');
  feed.close(actor);
  t.deepEqual(texts(head.batches[2]!.lines), ['three']);
  feed.stop();
});

test('lines wait while there is no head, and a flush does not wait for others to come', async (t) => {
  const head = new Receiver();
  let isReady = false;
  const { send, later } = head;
  const feed = new LogFeed({ node: 'n', send, later, isReady: () => isReady });
  const print = feed.open(actor, 'Counter');
  print('stdout', 'early\n');
  await head.pass();
  t.is(head.batches.length, 0);
  isReady = true;
  await head.pass();
  t.is(head.batches.length, 1);
  print('stdout', 'late\n');
  const flushed = feed.flush();
  await until('it is sent at once', () => head.batches.length === 2);
  await head.answer();
  await flushed;
  feed.stop();
});
