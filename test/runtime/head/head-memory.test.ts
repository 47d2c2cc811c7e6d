import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import pino from 'pino';
import { RuntimeError } from '../../../runtime/errors.js';
import { step } from '../../../runtime/head/brain.js';
import { hashOf } from '../../../runtime/head/code-store.js';
import { Head } from '../../../runtime/head/head.js';
import { HeadMemory } from '../../../runtime/head/head-memory.js';
import { type Change, MemoryJournal } from '../../../runtime/head/journal.js';
import type { NodeId, ProcessId } from '../../../runtime/ids.js';
import { connect } from '../../../runtime/index.js';
import { Endpoint } from '../../../runtime/wire/endpoint.js';
import { until } from '../../helpers/until.js';

const counters = new URL('../../fixtures/actors/counter.js', import.meta.url);

const silent = pino({ level: 'silent' });

function joinNode({ state }: HeadMemory) {
  return step(state, {
    at: 0,
    from: 'agent' as ProcessId,
    message: {
      kind: 'node.join',
      id: 1,
      node: 'n' as NodeId,
      name: 'n',
      resources: { cpu: 10_000 },
      gpus: [],
      labels: {},
    },
  });
}

test('the next head is the same cluster in its next epoch, with nodes and code', async (t) => {
  const journal = new MemoryJournal();
  const first = await HeadMemory.open(journal, silent);
  first.keep(joinNode(first).touched);
  const source = Uint8Array.of(1, 2, 3);
  first.codes.put(hashOf(source), { source, externals: ['koffi'] });
  const second = await HeadMemory.open(journal, silent);
  t.deepEqual([first.epoch, second.epoch], [1, 2]);
  t.is(second.cluster, first.cluster);
  t.deepEqual([...second.state.nodes.keys()], ['n']);
  t.deepEqual(second.codes.get(hashOf(source)).externals, ['koffi']);
});

test('without a journal each head is another cluster, and none will be back', async (t) => {
  const [one, other] = [
    await HeadMemory.open(undefined, silent),
    await HeadMemory.open(undefined, silent),
  ];
  t.not(one.cluster, other.cluster);
  t.is(one.epoch, undefined);
});

test('a row that makes no sense is an E_JOURNAL that names it', async (t) => {
  for (const [key, value] of [
    ['node/n', { name: 7 }],
    ['actor/a', { spec: {} }],
    ['nonsense/x', 1],
    ['head', { cluster: 'c' }],
  ] as const) {
    const journal = new MemoryJournal();
    journal.write([{ key, value }]);
    const message = new RegExp(`row ${key} of the journal is damaged`);
    await t.throwsAsync(HeadMemory.open(journal, silent), { code: 'E_JOURNAL', message });
  }
});

/** Full after so many writes. */
class FullJournal extends MemoryJournal {
  left = 1;

  override write(changes: readonly Change[]): void {
    if (this.left-- <= 0) throw new RuntimeError('E_JOURNAL', 'the disk is full');
    super.write(changes);
  }
}

test('a head whose journal is full goes on without, and leaves no old state', async (t) => {
  const journal = new FullJournal();
  const memory = await HeadMemory.open(journal, silent);
  const { effects, touched } = joinNode(memory);
  memory.keep(touched);
  memory.keep(touched);
  t.is(effects.length, 1);
  t.deepEqual([...journal.rows()], []);
});

/** Keeps what it is told when the test says so. */
class SlowJournal extends MemoryJournal {
  readonly acknowledge: (() => void)[] = [];

  override write(changes: readonly Change[]): void | Promise<void> {
    super.write(changes);
    return new Promise((resolve) => this.acknowledge.push(resolve));
  }
}

async function slowMemory(journal: SlowJournal): Promise<HeadMemory> {
  const opening = HeadMemory.open(journal, silent);
  await turn();
  journal.acknowledge.shift()!();
  return opening;
}

test('what a step has to say waits until it and all before it are kept, in order', async (t) => {
  const journal = new SlowJournal();
  const memory = await slowMemory(journal);
  const said: string[] = [];
  const { touched } = joinNode(memory);
  memory.whenKept(() => said.push('nothing to keep'));
  t.deepEqual(said, ['nothing to keep']);
  memory.keep(touched);
  memory.whenKept(() => said.push('first'));
  memory.whenKept(() => said.push('asks only'));
  memory.keep(touched);
  memory.whenKept(() => said.push('second'));
  await turn();
  t.is(said.length, 1);
  journal.acknowledge.shift()!();
  await turn();
  t.deepEqual(said.slice(1), ['first', 'asks only']);
  journal.acknowledge.shift()!();
  await turn();
  memory.whenKept(() => said.push('at once'));
  t.deepEqual(said.slice(3), ['second', 'at once']);
});

test('a head answers when what it has done is kept', async (t) => {
  const journal = new SlowJournal();
  const starting = Head.start({ port: 0, token: 'secret', log: silent, journal });
  await turn();
  journal.acknowledge.shift()!();
  await using head = await starting;
  const address = head.address.url;
  await using driver = await connect({ address, token: 'secret', logToDriver: false });
  const happened: string[] = [];
  const loaded = driver.load(counters).then(() => happened.push('loaded'));
  await until('it is written', () => journal.acknowledge.length > 0);
  const asked = driver.status().then(() => happened.push('asked'));
  // Whatever the head has said by now has arrived.
  const headers = { authorization: 'Bearer secret' };
  t.true((await fetch(`${address.replace('ws:', 'http:')}/metrics`, { headers })).ok);
  happened.push('kept');
  journal.acknowledge.shift()!();
  await Promise.all([loaded, asked]);
  t.deepEqual([happened[0], ...happened.slice(1).sort()], ['kept', 'asked', 'loaded']);
});

test('whoever asks whether all is kept that he has told hears it then', async (t) => {
  const journal = new SlowJournal();
  const starting = Head.start({ port: 0, token: 'secret', log: silent, journal });
  await turn();
  journal.acknowledge.shift()!();
  await using head = await starting;
  const agent = new Endpoint({
    role: 'agent',
    token: 'secret',
    events: { message: () => undefined },
  });
  try {
    const peer = await agent.connect(head.address.url);
    const happened: string[] = [];
    await peer.request({ kind: 'told.kept' });
    const joined = { node: 'n' as NodeId, name: 'n', resources: {}, gpus: [], labels: {} };
    const told = [
      peer.request({ kind: 'node.join', ...joined }).then(() => happened.push('joined')),
      peer.request({ kind: 'told.kept' }).then(() => happened.push('kept')),
    ];
    await until('it is written', () => journal.acknowledge.length > 0);
    happened.push('acknowledged');
    journal.acknowledge.shift()!();
    await Promise.all(told);
    t.deepEqual(happened, ['acknowledged', 'joined', 'kept']);
  } finally {
    await agent.close();
  }
});

test('a head that finds its port taken leaves a journal as it was', async (t) => {
  const options = { port: 0, token: 'secret', log: silent };
  await using taken = await Head.start(options);
  const port = Number(new URL(taken.address.url).port);
  const unused = new MemoryJournal();
  await t.throwsAsync(Head.start({ ...options, port, journal: unused }), { code: 'E_LISTEN' });
  t.deepEqual([...unused.rows()], []);
  const used = new MemoryJournal();
  const before = await HeadMemory.open(used, silent);
  before.keep(joinNode(before).touched);
  await t.throwsAsync(Head.start({ ...options, port, journal: used }), { code: 'E_LISTEN' });
  t.is([...used.rows()].length, 2);
});
