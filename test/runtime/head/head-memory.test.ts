import test from 'ava';
import pino from 'pino';
import { RuntimeError } from '../../../runtime/errors.js';
import { step } from '../../../runtime/head/brain.js';
import { hashOf } from '../../../runtime/head/code-store.js';
import { Head } from '../../../runtime/head/head.js';
import { HeadMemory } from '../../../runtime/head/head-memory.js';
import { type Change, MemoryJournal } from '../../../runtime/head/journal.js';
import type { NodeId, ProcessId } from '../../../runtime/ids.js';

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

test('the next head is the same cluster in its next epoch, with nodes and code', (t) => {
  const journal = new MemoryJournal();
  const first = new HeadMemory(journal, silent);
  first.keep(joinNode(first).touched);
  const source = Uint8Array.of(1, 2, 3);
  first.codes.put(hashOf(source), { source, externals: ['koffi'] });
  const second = new HeadMemory(journal, silent);
  t.deepEqual([first.epoch, second.epoch], [1, 2]);
  t.is(second.cluster, first.cluster);
  t.deepEqual([...second.state.nodes.keys()], ['n']);
  t.deepEqual(second.codes.get(hashOf(source)).externals, ['koffi']);
});

test('without a journal each head is another cluster, and none will be back', (t) => {
  const [one, other] = [new HeadMemory(undefined, silent), new HeadMemory(undefined, silent)];
  t.not(one.cluster, other.cluster);
  t.is(one.epoch, undefined);
});

test('a row that makes no sense is an E_JOURNAL that names it', (t) => {
  for (const [key, value] of [
    ['node/n', { name: 7 }],
    ['actor/a', { spec: {} }],
    ['nonsense/x', 1],
    ['head', { cluster: 'c' }],
  ] as const) {
    const journal = new MemoryJournal();
    journal.write([{ key, value }]);
    const message = new RegExp(`row ${key} of the journal is damaged`);
    t.throws(() => new HeadMemory(journal, silent), { code: 'E_JOURNAL', message });
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

test('a head whose journal is full goes on without, and leaves no old state', (t) => {
  const journal = new FullJournal();
  const memory = new HeadMemory(journal, silent);
  const { effects, touched } = joinNode(memory);
  memory.keep(touched);
  memory.keep(touched);
  t.is(effects.length, 1);
  t.deepEqual([...journal.rows()], []);
});

test('a head that finds its port taken leaves a journal as it was', async (t) => {
  const options = { port: 0, token: 'secret', log: silent };
  await using taken = await Head.start(options);
  const port = Number(new URL(taken.address.url).port);
  const unused = new MemoryJournal();
  await t.throwsAsync(Head.start({ ...options, port, journal: unused }), { code: 'E_LISTEN' });
  t.deepEqual([...unused.rows()], []);
  const used = new MemoryJournal();
  const before = new HeadMemory(used, silent);
  before.keep(joinNode(before).touched);
  await t.throwsAsync(Head.start({ ...options, port, journal: used }), { code: 'E_LISTEN' });
  t.is([...used.rows()].length, 2);
});
