import test from 'ava';
import type { ActorId } from '../../../runtime/ids.js';
import { LogBook } from '../../../runtime/observe/log-book.js';

const id = (name: string): ActorId => name as ActorId;

function write(book: LogBook, actor: string, ...texts: readonly string[]): void {
  const lines = texts.map((text) => ({ stream: 'stdout', text }) as const);
  book.add({ actor: id(actor), lines });
}

const read = (book: LogBook, actor: string, lines = 100): readonly string[] =>
  book.tail(id(actor), lines).map(({ text }) => text);

test('the last lines stay, and the last of those are read', (t) => {
  const book = new LogBook({ lines: 3 });
  write(book, 'a', '1', '2');
  write(book, 'a', '3', '4');
  t.deepEqual(read(book, 'a'), ['2', '3', '4']);
  t.deepEqual(read(book, 'a', 2), ['3', '4']);
  t.deepEqual(read(book, 'a', 0), []);
  write(book, 'a', '5', '6', '7', '8', '9');
  t.deepEqual(read(book, 'a'), ['7', '8', '9']);
  t.deepEqual(read(book, 'b'), []);
});

test('long lines push out more of the older', (t) => {
  const book = new LogBook({ lines: 100, characters: 10 });
  write(book, 'a', '1234', '5678');
  write(book, 'a', 'ab');
  t.deepEqual(read(book, 'a'), ['1234', '5678', 'ab']);
  write(book, 'a', 'c');
  t.deepEqual(read(book, 'a'), ['5678', 'ab', 'c']);
  write(book, 'a', 'longer than may be');
  t.deepEqual(read(book, 'a'), []);
  write(book, 'a', 'again');
  t.deepEqual(read(book, 'a'), ['again']);
});

test('of the dead, those that spoke last are remembered; of the living, all', (t) => {
  const book = new LogBook({ dead: 2 });
  for (const actor of ['a', 'b', 'c', 'd']) write(book, actor, actor);
  write(book, 'a', 'once more');
  book.tidy((actor) => actor !== 'd');
  t.deepEqual(
    ['a', 'b', 'c', 'd'].map((actor) => book.has(id(actor))),
    [true, false, true, true],
  );
});
