import test from 'ava';
import { FactsFinder } from '../../../runtime/dashboard/cluster-facts.js';
import { type ClusterFacts, tablesOf } from '../../../runtime/dashboard/tables.js';
import type { ClusterStatus } from '../../../runtime/head/state.js';
import type { Peer } from '../../../runtime/wire/peer.js';

const actors = (count: number, phase: string): ClusterStatus['actors'] =>
  Array.from(
    { length: count },
    (_, n) => ({ id: `${phase}${n}`, label: 'A', phase, resources: {} }) as never,
  );

const facts = (more: Partial<ClusterFacts> = {}): ClusterFacts => ({
  at: 0,
  status: { nodes: [], actors: [], groups: [] },
  stats: {},
  jobs: [],
  runs: [],
  objects: [],
  ...more,
});

test('long lists are cut, the living before the dead, the last to die first', (t) => {
  const all = [...actors(300, 'dead'), ...actors(150, 'alive')];
  const worker = { id: 'w', label: 'task worker', phase: 'alive', resources: {} } as never;
  const status = { nodes: [], actors: [...all, worker], groups: [] };
  const { rows, note } = tablesOf(facts({ status })).find(({ title }) => title === 'Actors')!;
  t.is(note, '150 living, 300 dead; task workers beside them: 1; 250 more are not shown');
  t.deepEqual([rows.length, rows[0]![4], rows[150]![4]], [200, 'alive0', 'dead299']);
});

test('a long text is cut', (t) => {
  const job = {
    id: 'j',
    phase: 'running',
    entrypoint: 'x'.repeat(100_000),
    submittedAt: 0,
  } as never;
  const { rows } = tablesOf(facts({ jobs: [job] })).find(({ title }) => title === 'Jobs')!;
  t.is(rows[0]![2], `${'x'.repeat(500)}…`);
});

test('what is empty, or was not answered, says so', (t) => {
  const notes = (of: ClusterFacts): readonly string[] => tablesOf(of).map(({ note }) => note);
  t.true(notes(facts()).every((note) => note.includes('no') || note.includes('0 living')));
  const late = notes(facts({ runs: undefined, objects: undefined }));
  t.is(late.filter((note) => note === 'not every node has answered in time').length, 2);
});

test('however many look, the head is asked once a second', async (t) => {
  let now = 0;
  const asked: string[] = [];
  const head = {
    request: ({ kind }: { readonly kind: string }) => {
      asked.push(kind);
      return Promise.resolve(kind);
    },
  };
  const finder = new FactsFinder(
    () => head as unknown as Peer,
    () => now,
  );
  const [first, second] = await Promise.all([finder.find(), finder.find()]);
  t.is(first, second);
  t.is(asked.length, 5);
  now = 1_000;
  t.is((await finder.find()).at, 1_000);
  t.is(asked.length, 10);
});
