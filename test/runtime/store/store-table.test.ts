import test from 'ava';
import type { ProcessId } from '../../../runtime/ids.js';
import { type Entry, StoreTable } from '../../../runtime/store/store-table.js';

const [writer, reader] = ['w' as ProcessId, 'r' as ProcessId];

function tableAt(start = 0) {
  const gone: string[] = [];
  let now = start;
  const table = new StoreTable({
    leaseMs: 100,
    clock: () => now,
    gone: ({ key }) => gone.push(key),
  });
  /** Written by `writer`, who keeps no view. */
  const add = (key: string, as: 'original' | 'copy' = 'original'): Entry => {
    const entry = table.add(key, 10, as, writer, 0);
    table.moved(entry, { phase: 'memory', offset: 0 });
    table.unpin(key, writer);
    return entry;
  };
  return {
    table,
    gone,
    add,
    at: (ms: number) => {
      now = ms;
    },
  };
}

test('an object goes when its owner let go and its last reader has, whichever is first', (t) => {
  const { table, gone, add } = tableAt();
  const first = add('a');
  table.pin(first, reader);
  table.pin(first, reader);
  table.free('a');
  t.throws(() => table.find('a'), { code: 'E_OBJECT_LOST', message: /owner has let go/ });
  table.unpin('a', reader);
  t.deepEqual(gone, []);
  table.unpin('a', reader);
  t.deepEqual(gone, ['a']);
  const second = add('b');
  table.pin(second, reader);
  table.unpin('b', reader);
  t.deepEqual(gone, ['a']);
  table.free('b');
  t.deepEqual(gone, ['a', 'b']);
});

test('a lease that runs out frees nothing that somebody looks at', (t) => {
  const { table, gone, add, at } = tableAt();
  const entry = add('a');
  table.pin(entry, reader);
  at(1_000);
  table.sweep();
  t.deepEqual(gone, []);
  t.is(table.find('a'), entry);
  table.unpin('a', reader);
  table.sweep();
  t.deepEqual(gone, ['a']);
});

test('an owner that asks in time keeps its object; a copy stays for a while after its last reader', (t) => {
  const { table, gone, add, at } = tableAt();
  add('a');
  const copy = add('b', 'copy');
  at(90);
  table.hold(['a', 'unknown']);
  table.pin(copy, reader);
  table.unpin('b', reader);
  at(150);
  table.sweep();
  t.deepEqual(gone, []);
  at(190);
  table.sweep();
  t.deepEqual(gone, ['a', 'b']);
});

test('what a dead process had mapped is free, what it was writing is gone', (t) => {
  const { table, gone, add } = tableAt();
  const entry = add('a');
  table.pin(entry, reader);
  table.pin(entry, writer);
  table.add('half', 10, 'original', reader, 0);
  table.forget(reader);
  t.deepEqual(gone, ['half']);
  t.deepEqual([...entry.pins.keys()], [writer]);
  // A process that lets go of more than it has takes nothing from others.
  table.unpin('a', reader);
  t.deepEqual([...entry.pins.keys()], [writer]);
});

test('copies leave first, then what was not used for longest; never what is mapped', (t) => {
  const { table, add, at } = tableAt();
  add('old');
  at(1);
  const used = add('used');
  at(2);
  add('copy', 'copy');
  table.pin(add('mapped'), reader);
  at(3);
  table.pin(used, reader);
  table.unpin('used', reader);
  t.deepEqual(
    table.movable().map(({ key }) => key),
    ['copy', 'old', 'used'],
  );
});

test('what is freed on its way to disk goes when it has arrived', (t) => {
  const { table, gone, add } = tableAt();
  const entry = add('a');
  entry.state = { phase: 'moving', offset: 0, done: Promise.resolve() };
  table.free('a');
  t.deepEqual(gone, []);
  table.moved(entry, { phase: 'disk' });
  t.deepEqual(gone, ['a']);
});
