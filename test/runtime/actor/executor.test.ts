import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { Executor, type Invoke } from '../../../runtime/actor/executor.js';
import { Snapshots } from '../../../runtime/actor/snapshots.js';
import type { ActorId, ProcessId } from '../../../runtime/ids.js';
import type { Message, MessageOf } from '../../../runtime/wire/messages.js';
import { streamWindow } from '../../../runtime/wire/stream.js';

const actor = 'a' as ActorId;

class Sink {
  readonly sent: Message[] = [];
  send(message: Message): void {
    this.sent.push(message);
  }
  get values(): unknown[] {
    return this.sent.flatMap((message) => ('value' in message ? [message.value] : []));
  }
}

const call = (id: number, method: string, ...args: unknown[]): MessageOf<'call'> => ({
  kind: 'call',
  id,
  actor,
  method,
  args,
  stream: false,
});
const stream = (id: number, method: string): MessageOf<'call'> => ({
  ...call(id, method),
  stream: true,
});
const tell = (method: string): MessageOf<'tell'> => ({ kind: 'tell', actor, method, args: [] });

interface Fixture {
  readonly executor: Executor;
  readonly log: string[];
  readonly lost: string[];
  /** Lets a method that waits go on. */
  finish(method: string): void;
}

/** Methods are logged as they begin, and end when they are told to. */
function fixture(maxConcurrency: number, invoke?: Invoke): Fixture {
  const log: string[] = [];
  const lost: string[] = [];
  const waiting = new Map<string, () => void>();
  const executor = new Executor({
    maxConcurrency,
    invoke:
      invoke ??
      ((method) => {
        log.push(method);
        return new Promise<string>((resolve) => {
          waiting.set(method, () => resolve(`${method} done`));
        });
      }),
    onLostError: (method, error) => lost.push(`${method}: ${(error as Error).message}`),
  });
  return { executor, log, lost, finish: (method) => waiting.get(method)?.() };
}

test('calls and tells begin in order of arrival, one at a time', async (t) => {
  const { executor, log, finish } = fixture(1);
  const [one, two] = [new Sink(), new Sink()];
  executor.receive(one, call(1, 'a'));
  executor.receive(two, tell('b'));
  executor.receive(one, call(2, 'c'));
  t.deepEqual(log, ['a']);
  finish('a');
  await turn();
  t.deepEqual(log, ['a', 'b']);
  finish('b');
  await turn();
  finish('c');
  await turn();
  t.deepEqual(log, ['a', 'b', 'c']);
  t.deepEqual(one.values, ['a done', 'c done']);
  t.deepEqual(two.sent, []);
});

test('maxConcurrency calls run side by side, and no more', async (t) => {
  const { executor, log, finish } = fixture(2);
  const sink = new Sink();
  for (const [id, method] of ['a', 'b', 'c', 'd'].entries())
    executor.receive(sink, call(id, method));
  t.deepEqual(log, ['a', 'b']);
  finish('b');
  await turn();
  t.deepEqual(log, ['a', 'b', 'c']);
  t.deepEqual(sink.values, ['b done']);
});

test('latest messages do not queue, and their credit returns when they are consumed', async (t) => {
  const { executor, log, finish } = fixture(1);
  const sink = new Sink();
  const to = { process: 'p' as ProcessId, machine: '', unix: '', url: '' };
  executor.receive(sink, call(1, 'busy'));
  executor.receive(sink, {
    kind: 'latest',
    sender: 's' as ProcessId,
    to,
    actor,
    slot: 'border',
    credits: 2,
    method: 'border',
    args: [],
  });
  t.deepEqual(log, ['busy', 'border']);
  t.deepEqual(sink.sent, []);
  finish('border');
  await turn();
  t.deepEqual(sink.sent, [
    { kind: 'latest.credit', sender: 's' as ProcessId, actor, slot: 'border' },
  ]);
});

test('an error is the answer of a call, and of a tell or latest nobody’s', async (t) => {
  const { executor, lost } = fixture(1, (method) => {
    throw new Error(`${method} failed`);
  });
  const sink = new Sink();
  executor.receive(sink, call(1, 'a'));
  executor.receive(sink, tell('b'));
  await turn();
  t.like(sink.sent[0], { kind: 'error', id: 1, error: { message: 'a failed' } });
  t.is(sink.sent.length, 1);
  t.deepEqual(lost, ['b: b failed']);
});

test('a cancelled call that waits is not begun, one that runs has its signal aborted', async (t) => {
  const signals = new Map<string, AbortSignal>();
  const { executor } = fixture(1, (method, _, { signal }) => {
    signals.set(method, signal);
    return method === 'a' ? once(signal, 'abort') : method;
  });
  const sink = new Sink();
  executor.receive(sink, call(1, 'a'));
  executor.receive(sink, call(2, 'b'));
  executor.receive(sink, call(3, 'c'));
  executor.receive(sink, { kind: 'cancel', id: 2 });
  executor.receive(new Sink(), { kind: 'cancel', id: 1 });
  t.false(signals.get('a')?.aborted);
  executor.receive(sink, { kind: 'cancel', id: 1 });
  t.true(signals.get('a')?.aborted);
  await turn();
  t.deepEqual([...signals.keys()], ['a', 'c']);
});

test('a caller that leaves aborts what it waits for and nothing else', async (t) => {
  const aborted: string[] = [];
  const { executor } = fixture(3, async (method, _, { signal }) => {
    await once(signal, 'abort');
    aborted.push(method);
  });
  const [one, two] = [new Sink(), new Sink()];
  executor.receive(one, call(1, 'a'));
  executor.receive(two, call(1, 'b'));
  executor.receive(one, tell('told'));
  executor.forget(one);
  await turn();
  t.deepEqual(aborted, ['a']);
  executor.stop();
  await turn();
  t.deepEqual(aborted, ['a', 'b', 'told']);
});

/** Counts up for ever; says how far it was pulled and whether it was closed. */
function counter() {
  const state = { pulled: 0, closed: false };
  async function* run(): AsyncGenerator<number> {
    try {
      while (true) yield ++state.pulled;
    } finally {
      state.closed = true;
    }
  }
  return { state, run };
}

test('a stream runs a window ahead and stops there until it gets credit', async (t) => {
  const { state, run } = counter();
  const { executor } = fixture(1, () => run());
  const sink = new Sink();
  executor.receive(sink, stream(1, 'count'));
  await turn();
  t.is(sink.sent.length, streamWindow);
  executor.receive(sink, { kind: 'stream.credit', id: 1, count: 32 });
  await turn();
  t.is(sink.sent.length, streamWindow + 32);
  executor.receive(sink, { kind: 'cancel', id: 1 });
  await turn();
  t.deepEqual([state.closed, state.pulled], [true, streamWindow + 32]);
  // The slot is free again.
  executor.receive(sink, stream(2, 'count'));
  await turn();
  t.true(sink.sent.some((message) => 'id' in message && message.id === 2));
  executor.stop();
});

test('a stream’s end and its error come after its items', async (t) => {
  const { executor } = fixture(1, async function* (method) {
    yield 1;
    if (method === 'bad') throw new Error('broken');
  });
  const sink = new Sink();
  executor.receive(sink, stream(1, 'good'));
  executor.receive(sink, stream(2, 'bad'));
  await turn();
  t.deepEqual(
    sink.sent.map(({ kind }) => kind),
    ['stream.item', 'stream.end', 'stream.item', 'error'],
  );
});

test('streaming what is no generator, and calling what is one, is an E_METHOD', async (t) => {
  const { state, run } = counter();
  const { executor } = fixture(1, (method) => (method === 'count' ? run() : 1));
  const sink = new Sink();
  executor.receive(sink, stream(1, 'value'));
  executor.receive(sink, call(2, 'count'));
  await turn();
  for (const [index, text] of [/not an async generator/, /use stream\.count/].entries()) {
    const { error } = sink.sent[index] as MessageOf<'error'>;
    t.is(error.code, 'E_METHOD');
    t.regex(error.message, text);
  }
  t.is(state.pulled, 0);
});

test('an executor that stops answers nobody: the death of the actor is the answer', async (t) => {
  const { executor, finish } = fixture(1);
  const sink = new Sink();
  executor.receive(sink, call(1, 'a'));
  executor.receive(sink, call(2, 'b'));
  executor.stop();
  finish('a');
  await turn();
  t.deepEqual(sink.sent, []);
});

test('methods of a concurrency group have places of their own', async (t) => {
  const log: string[] = [];
  const endings = new Map<string, () => void>();
  const executor = new Executor({
    maxConcurrency: 1,
    groups: [{ methods: ['fetch', 'ping'], maxConcurrency: 2 }],
    maxPending: 1,
    invoke: (method, [name]) => {
      log.push(`${method} ${name}`);
      return new Promise<void>((resolve) => endings.set(String(name), resolve));
    },
    onLostError: () => undefined,
  });
  const sink = new Sink();
  executor.receive(sink, call(1, 'work', 'a'));
  executor.receive(sink, call(2, 'work', 'b'));
  executor.receive(sink, call(3, 'fetch', 'c'));
  executor.receive(sink, call(4, 'ping', 'd'));
  executor.receive(sink, call(5, 'fetch', 'e'));
  t.deepEqual(log, ['work a', 'fetch c', 'ping d']);
  // One waits in each group; more are refused, by group.
  executor.receive(sink, call(6, 'ping', 'f'));
  t.like(sink.sent[0], { kind: 'error', id: 6, error: { code: 'E_MAILBOX_FULL' } });
  endings.get('c')!();
  await turn();
  t.deepEqual(log.slice(3), ['fetch e']);
  endings.get('a')!();
  await turn();
  t.deepEqual(log.slice(4), ['work b']);
});

test('a snapshot has its turn, however many calls wait', async (t) => {
  const states: Uint8Array[] = [];
  const done: (() => void)[] = [];
  const snapshots = new Snapshots({
    label: 'a',
    actor,
    executor: () => executor,
    send: (state) => states.push(state),
    everyMs: 0,
  });
  const invoke: Invoke = (method) =>
    method === 'snapshot' ? 1 : new Promise<void>((resolve) => done.push(resolve));
  const executor = new Executor({
    invoke: snapshots.watch(invoke),
    maxConcurrency: 1,
    maxPending: 1,
    onLostError: () => undefined,
  });
  const sink = new Sink();
  for (const id of [1, 2]) executor.receive(sink, call(id, 'm'));
  // After the first call the second one takes the only place for calls that wait.
  for (let n = 0; n < 2; n++) {
    while (done.length === 0) await turn();
    done.shift()!();
  }
  while (states.length < 2) await turn();
  t.deepEqual(
    sink.sent.map(({ kind }) => kind),
    ['reply', 'reply'],
  );
});
