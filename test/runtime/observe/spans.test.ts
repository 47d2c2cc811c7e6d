import test from 'ava';
import type { ActorId, NodeId, ProcessId } from '../../../runtime/ids.js';
import { chromeTrace } from '../../../runtime/observe/chrome-trace.js';
import { HostWatch } from '../../../runtime/observe/host-watch.js';
import { UsageSum } from '../../../runtime/observe/process-usage.js';
import type { HostTrace } from '../../../runtime/observe/reports.js';
import { SpanRing } from '../../../runtime/observe/span-ring.js';
import { TaskCounts } from '../../../runtime/observe/task-counts.js';
import { ActorRef, type Address } from '../../../runtime/wire/address.js';
import type { Endpoint } from '../../../runtime/wire/endpoint.js';

const address: Address = { process: 'p' as ProcessId, machine: 'm', unix: '', url: 'ws://h:1' };

type Span = readonly [name: string, start: number, ms: number, failed?: boolean];

function ringOf(spans: readonly Span[], size?: number): SpanRing {
  const ring = new SpanRing(size);
  for (const [name, start, ms, failed] of spans) {
    ring.add(name, start, ms, failed ? 'failed' : 'returned');
  }
  return ring;
}

const traceOf = (label: string, spans: readonly Span[]): HostTrace => ({
  actor: 'a' as ActorId,
  label,
  pid: 7,
  ...ringOf(spans).columns(),
});

test('a ring keeps the last spans, oldest first', (t) => {
  const { names, name, start, ms, failed } = ringOf(
    [
      ['f', 1, 10],
      ['g', 2, 20],
      ['f', 3, 30, true],
      ['g', 4, 40],
    ],
    3,
  ).columns();
  t.deepEqual(
    [...name].map((number) => names[number]),
    ['g', 'f', 'g'],
  );
  t.deepEqual(
    [[...start], [...ms], [...failed]],
    [
      [2, 3, 4],
      [20, 30, 40],
      [0, 1, 0],
    ],
  );
  t.deepEqual([...new SpanRing(3).columns().start], []);
});

test('a cleared ring has forgotten spans and names', (t) => {
  const ring = ringOf([['old', 1, 10]]);
  ring.clear();
  ring.add('new', 2, 20, 'returned');
  const { names, name, start } = ring.columns();
  t.deepEqual([names, [...name], [...start]], [['new'], [0], [2]]);
});

test('callers that make up names do not make a ring or counts grow', (t) => {
  const ring = new SpanRing(2_000);
  const counts = new TaskCounts();
  for (let n = 0; n < 1_000; n++) {
    ring.add(`f${n}`, n, 1, 'returned');
    counts.add({ name: `f${n}`, finished: 1, failed: 1 });
  }
  const { names, name } = ring.columns();
  t.is(names.length, 501);
  t.is(names[name[999]!], '(others)');
  const list = counts.list();
  t.is(list.length, 201);
  t.deepEqual(list.at(-1), { name: '(others)', finished: 800, failed: 800 });
  counts.clear();
  t.true(counts.isEmpty);
});

test('a node is a process and a host a thread; times count from the first span', (t) => {
  const nodes = [
    { node: 'n0', hosts: [traceOf('Counter "c"', [['add', 1_000, 2, true]])] },
    { node: 'n1', hosts: [traceOf('task worker', [['square', 1_001.5, 0.5]])] },
  ];
  const { traceEvents } = chromeTrace(nodes);
  t.deepEqual(
    traceEvents
      .filter(({ ph }) => ph === 'M')
      .map(({ pid, tid, args }) => [pid, tid, args?.['name']]),
    [
      [1, 0, 'n0'],
      [1, 1, 'Counter "c" (pid 7)'],
      [2, 0, 'n1'],
      [2, 1, 'task worker (pid 7)'],
    ],
  );
  const common = { ph: 'X', tid: 1 } as const;
  t.deepEqual(
    traceEvents.filter(({ ph }) => ph === 'X'),
    [
      {
        ...common,
        name: 'add',
        cat: 'actor',
        pid: 1,
        ts: 0,
        dur: 2_000,
        args: { actor: 'a', failed: true },
      },
      { ...common, name: 'square', cat: 'task', pid: 2, ts: 1_500, dur: 500, args: { actor: 'a' } },
    ],
  );
  t.deepEqual(chromeTrace([]).traceEvents, []);
});

test('calls at once lie on threads of their own, so that none hides another', (t) => {
  const host = traceOf('Counter', [
    ['c', 15, 10],
    ['a', 0, 10],
    ['b', 5, 10],
    ['d', 20, 1],
    ['e', 25, 1],
  ]);
  const { traceEvents } = chromeTrace([{ node: 'n', hosts: [host] }]);
  const rows = new Map<number, string[]>();
  for (const { ph, tid, name } of traceEvents) {
    if (ph === 'X') rows.set(tid, [...(rows.get(tid) ?? []), name]);
  }
  t.deepEqual(
    [...rows.values()],
    [
      ['a', 'c', 'e'],
      ['b', 'd'],
    ],
  );
  const threads = traceEvents.filter(({ name }) => name === 'thread_name');
  t.deepEqual(
    threads.map(({ args }) => args?.['name']),
    ['Counter (pid 7)', 'Counter (pid 7) +1'],
  );
});

test('processor time does not fall when a process ends', (t) => {
  const seconds = new Map([
    [1, 5],
    [2, 7],
  ]);
  const read = (pid: number): { cpuSeconds: number; rssBytes: number } | undefined =>
    seconds.has(pid) ? { cpuSeconds: seconds.get(pid)!, rssBytes: 100 } : undefined;
  const usage = new UsageSum();
  t.deepEqual(usage.sample([1, 2], read), { cpuSeconds: 12, rssBytes: 200 });
  seconds.set(1, 6);
  seconds.delete(2);
  // The kernel has forgotten it, the agent not yet.
  t.deepEqual(usage.sample([1, 2], read), { cpuSeconds: 13, rssBytes: 100 });
  t.deepEqual(usage.sample([1], read), { cpuSeconds: 13, rssBytes: 100 });
  t.deepEqual(usage.sample([], read), { cpuSeconds: 13, rssBytes: 0 });
  t.true(new UsageSum().sample([process.pid]).rssBytes > 2 ** 20);
});

test('a generator that was not asked for as a stream does not seem to run for ever', (t) => {
  const watch = new HostWatch({ peers: new Map() } as unknown as Endpoint);
  const counting = (async function* () {
    yield 1;
  })();
  const invoke = watch.watch(() => counting, 'task');
  const signal = new AbortController().signal;
  invoke('count', [], { stream: false, signal });
  const ref = new ActorRef('a' as ActorId, 'n' as NodeId, 'task worker', address);
  t.deepEqual(
    watch.runs(ref, 10).map(({ name, phase }) => [name, phase]),
    [['count', 'failed']],
  );
});
