import test from 'ava';
import fc from 'fast-check';
import { type Address, ObjectPlace } from '../../../runtime/wire/address.js';
import { decodeFrame, encodeFrame } from '../../../runtime/wire/frame.js';
import type { Message, MessageKind, MessageOf } from '../../../runtime/wire/messages.js';
import { fromPositional, messageKinds, toPositional } from '../../../runtime/wire/shapes.js';
import { encodeValue } from '../../../runtime/wire/value.js';

const spec = {
  code: 'c',
  exportName: 'Counter',
  args: Uint8Array.of(1, 2),
  resources: { cpu: 10_000 },
  name: 'n',
  bundle: { group: 'g', index: 1 },
  schedulingStrategy: { node: 'n', soft: true },
  near: 'n',
  labelSelector: { zone: 'in(a, b)' },
  namespace: 'mine',
  thread: true,
  maxConcurrency: 3,
};
const address = { process: 'p', machine: 'm', unix: '/u', url: 'ws://h:1' };
const error = {
  name: 'Error',
  message: 'm',
  code: 'E',
  stack: 's',
  cause: { name: 'E', message: '' },
};
const entry = { kind: 'command', command: 'true', env: { A: 'b' }, cwd: '/' };
const jobSpec = {
  entry,
  resources: { cpu: 10_000 },
  labelSelector: { zone: 'a' },
  metadata: { team: 'vision' },
};
const gpu = { index: 0, uuid: 'u', name: 'H100', memoryMb: 80_000 };

/** One of every kind, with every field filled in. */
const samples = {
  call: { id: 1, actor: 'a', method: 'm', args: [1, 'x'], stream: true },
  tell: { actor: 'a', method: 'm', args: [] },
  latest: {
    sender: 'p',
    to: { process: 'q', machine: 'm', unix: '', url: 'ws://h:1' },
    actor: 'a',
    slot: 's',
    credits: 2,
    method: 'm',
    args: [Float32Array.of(1)],
  },
  'latest.credit': { sender: 'p', actor: 'a', slot: 's' },
  cancel: { id: 2 },
  'stream.credit': { id: 2, count: 32 },
  reply: { id: 3, value: { any: ['thing'] } },
  error: { id: 3, error },
  'stream.item': { id: 4, value: null },
  'stream.end': { id: 4 },
  'node.join': {
    id: 5,
    node: 'n',
    name: 'node-0',
    resources: { cpu: 10_000 },
    gpus: [gpu],
    labels: { zone: 'a' },
  },
  'node.beat': { node: 'n', lagMs: 0.25 },
  'actor.alive': { actor: 'a', address },
  'actor.exited': { actor: 'a', cause: error },
  'actor.create': { id: 6, spec },
  'actor.find': { id: 7, name: 'n', namespace: 'default' },
  'actor.kill': { id: 8, actor: 'a' },
  'actor.verdict': { id: 9, actor: 'a', process: 'p' },
  'group.create': {
    id: 10,
    bundles: [{ cpu: 1 }, {}],
    strategy: 'strict-spread',
    labelSelector: { zone: '!a' },
  },
  'group.remove': { id: 11, group: 'g' },
  'code.put': { id: 12, code: 'c', source: Uint8Array.of(1), externals: ['koffi'] },
  'code.has': { id: 13, code: 'c' },
  'code.get': { id: 14, code: 'c' },
  status: { id: 15 },
  'actor.start': {
    actor: 'a',
    label: 'l',
    spec,
    gpus: ['u'],
    snapshot: Uint8Array.of(1),
    owner: 'p',
    request: 6,
    restarts: 1,
  },
  'actor.snapshot': { actor: 'a', state: Uint8Array.of(1) },
  'actor.note': { actor: 'a', note: 'ready' },
  'told.kept': { id: 6 },
  'actor.stop': { actor: 'a' },
  'node.stop': { why: 'w' },
  'host.ready': { pid: 1 },
  'host.start': {
    id: 16,
    actor: 'a',
    spec,
    snapshot: new Uint8Array(),
    file: '/f',
    label: 'l',
    node: 'n',
    nodeName: 'node-0',
    headUrl: 'ws://h:1',
  },
  'host.stop': { id: 17 },
  'host.rest': { id: 1 },
  'actor.waiting': { actor: 'a', waiting: true },
  'object.get': { id: 1, object: 'o', lost: 'k' },
  'object.hold': { objects: ['o', 'p'] },
  'object.free': { object: 'o' },
  'log.lines': {
    id: 18,
    actor: 'a',
    label: 'l',
    node: 'n',
    lines: [{ stream: 'stderr', text: 't' }],
  },
  'log.want': { wanted: true },
  'log.flush': { id: 19 },
  'log.read': { id: 20, actor: 'a', tail: 10, follow: true },
  'host.stats': { tasks: [{ name: 'f', finished: 1, failed: 0 }], latestDropped: 2 },
  'node.stats': {
    node: 'n',
    stats: {
      warm: 1,
      busy: 2,
      cpuSeconds: 1.5,
      rssBytes: 1e9,
      linesDropped: 3,
      latestDropped: 4,
      store: { objects: 1, bytes: 2, spilledObjects: 3, spilledBytes: 4 },
      tasks: [],
    },
  },
  stats: { id: 21 },
  'trace.get': { id: 22 },
  'job.submit': { id: 23, job: 'j', spec: jobSpec },
  'job.list': { id: 24 },
  'job.status': { id: 25, job: 'j' },
  'job.wait': { id: 26, job: 'j' },
  'job.kill': { id: 27, job: 'j' },
  'job.delete': { id: 28, job: 'j' },
  'job.join': { id: 29, job: 'j' },
  'job.start': { job: 'j', submittedAt: 5, spec: jobSpec, gpus: ['u'] },
  'job.stop': { job: 'j' },
  'job.started': { job: 'j', submittedAt: 5, members: ['p'] },
  'job.exited': {
    job: 'j',
    submittedAt: 5,
    end: { phase: 'failed', message: 'm', exitCode: 3, result: '1' },
  },
  'job.over': { job: 'j', why: 'w' },
  'store.allocate': { id: 23, key: 'k', bytes: 200_000, pid: 7 },
  'store.seal': { key: 'k' },
  'store.pin': { id: 24, key: 'k', pid: 7 },
  'store.unpin': { keys: ['k', 'l'] },
  'store.fetch': { id: 25, place: new ObjectPlace('k', 200_000, 'n', address as Address), pid: 0 },
  'store.read': { id: 26, key: 'k', offset: 64, bytes: 100 },
  'store.hold': { keys: ['k'] },
  'store.free': { keys: ['k'] },
  'store.collect': { id: 27 },
  'store.list': { id: 28 },
  'node.rejoin': {
    node: 'n',
    actors: [
      { actor: 'a', label: 'l', spec, owner: 'p', request: 6, restarts: 1, gpus: ['u'], address },
    ],
    exits: [{ actor: 'b', restarts: 0, cause: error }],
    jobs: [{ job: 'j', submittedAt: 5, members: ['p'], isStarted: true }],
    jobExits: [{ job: 'k', submittedAt: 5, end: { phase: 'succeeded' } }],
  },
  'tasks.list': { id: 30, limit: 100 },
  'lent.offer': { id: 32, pid: 7, fd: 20, bytes: 1 << 30, mark: 'm', at: 4096 },
  'lent.back': { offsets: [0, 4096] },
} satisfies Record<MessageKind, unknown>;

const sample = <Kind extends MessageKind>(kind: Kind): MessageOf<Kind> =>
  ({ kind, ...samples[kind] }) as unknown as MessageOf<Kind>;

const all: readonly Message[] = messageKinds.map((kind) => sample(kind));

test('every kind comes back as it went, alone and in a batch', (t) => {
  for (const message of all) t.deepEqual(decodeFrame(encodeFrame([message])), [message]);
  t.deepEqual(decodeFrame(encodeFrame(all)), all);
});

test('a kind keeps its number for good', (t) => {
  t.deepEqual(
    messageKinds.map((kind) => toPositional(sample(kind))[0]),
    [...messageKinds.keys()],
  );
  t.deepEqual([messageKinds[0], messageKinds[6], messageKinds[29]], ['call', 'reply', 'host.stop']);
});

for (const kind of messageKinds) {
  test(`${kind} with a field too few, too many or of the wrong type is refused`, (t) => {
    const row = toPositional(sample(kind));
    t.is(typeof fromPositional(row.slice(0, -1)), 'string');
    t.is(typeof fromPositional([...row, 1]), 'string');
    const anything = kind === 'reply' || kind === 'stream.item' ? 1 : Number.POSITIVE_INFINITY;
    for (let field = 1; field < Math.min(row.length, anything + 1); field++) {
      for (const wrong of [undefined, null, -1, 1.5, () => 1]) {
        if (kind === 'node.beat' && typeof wrong === 'number') continue;
        t.regex(String(fromPositional(row.with(field, wrong))), /with a wrong /);
      }
    }
  });
}

test('what is not a list, or has no known number, is no message', (t) => {
  for (const row of [undefined, 1, 'call', {}, [], [messageKinds.length], ['0'], [-1], [{}]]) {
    t.is(typeof fromPositional(row), 'string');
  }
});

const wrongSpecs = [
  { code: 1 },
  { exportName: undefined },
  { args: [1] },
  { resources: undefined },
  { resources: { cpu: -1 } },
  { resources: { cpu: 0.5 } },
  { name: 7 },
  { bundle: { group: 'g' } },
  { bundle: { group: 'g', index: -1 } },
  { schedulingStrategy: 'anyhow' },
  { labelSelector: { zone: 1 } },
  { thread: 'yes' },
  { maxConcurrency: 0 },
];
for (const wrong of wrongSpecs) {
  const [[field, value]] = Object.entries(wrong) as [[string, unknown]];
  test(`an actor spec with ${field} ${JSON.stringify(value)} is refused`, (t) => {
    const broken = { ...spec, ...wrong };
    const row = toPositional({ kind: 'actor.create', id: 1, spec: broken } as unknown as Message);
    t.is(fromPositional(row), 'actor.create with a wrong spec');
  });
}

test('what the head computes with is checked down to the numbers', (t) => {
  const refused = (kind: MessageKind, change: object): void => {
    const message = { ...sample(kind), ...change } as unknown as Message;
    t.is(typeof fromPositional(toPositional(message)), 'string', JSON.stringify(change));
  };
  refused('node.join', { resources: { cpu: -1 } });
  refused('node.join', { resources: { cpu: 'many' } });
  refused('node.join', { gpus: [{ ...gpu, uuid: 1 }] });
  refused('group.create', { bundles: [{ cpu: -1 }] });
  refused('group.create', { bundles: [null] });
  refused('group.create', { strategy: 'anyhow' });
  refused('group.create', { labelSelector: { zone: 1 } });
  refused('node.join', { labels: { zone: 1 } });
  refused('actor.alive', { address: { ...address, url: 1 } });
  refused('actor.exited', { cause: { name: 'Error' } });
  refused('error', { error: { message: 'm' } });
  refused('actor.start', { gpus: [1] });
  refused('code.put', { externals: [1] });
  refused('job.started', { members: [1] });
  refused('job.exited', { end: { phase: 'running' } });
  refused('job.exited', { end: { phase: 'failed', exitCode: -1 } });
  for (const wrong of [
    { entry: { ...entry, kind: 'anything' } },
    { entry: { ...entry, kind: 'module' } },
    { entry: { ...entry, env: { A: 1 } } },
    { entry: { ...entry, cwd: 1 } },
    { resources: { cpu: 0.5 } },
    { metadata: { team: 1 } },
  ]) {
    refused('job.submit', { spec: { ...jobSpec, ...wrong } });
  }
});

test('any list of values is refused in words or becomes a message, and never throws', (t) => {
  fc.assert(
    fc.property(fc.array(fc.anything({ withNullPrototype: true })), (row) => {
      const parsed = fromPositional(row);
      if (typeof parsed !== 'string') t.true(messageKinds.includes(parsed.kind));
    }),
  );
  t.pass();
});

test('a frame that is not a batch of messages is an E_PROTOCOL', (t) => {
  for (const value of [1, 'x', null, {}, [1], [[99]], [[0, 'x']]]) {
    t.throws(() => decodeFrame(encodeValue(value)), { code: 'E_PROTOCOL' });
  }
});
