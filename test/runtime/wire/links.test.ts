import test, { type Macro } from 'ava';
import { memoryLink } from '../../../runtime/wire/link.js';
import {
  frame,
  type LinkPair,
  laneOfNumber,
  memoryPair,
  numberOf,
  portPair,
  receive,
  socketPair,
} from '../../helpers/links.js';

type Open = () => Promise<LinkPair>;
const everyKind: readonly (readonly [string, Open])[] = [
  ['memory', memoryPair],
  ['port', portPair],
  ['WebSocket over TCP', () => socketPair('tcp')],
  ['WebSocket over a Unix socket', () => socketPair('unix')],
];

const inOrder: Macro<[Open]> = test.macro(async (t, open) => {
  await using pair = await open();
  const received = receive(pair.b);
  receive(pair.a);
  for (let n = 0; n < 500; n++) pair.a.send(frame(n), laneOfNumber(n));
  const numbers = (await received.count(500)).map(numberOf);
  for (const lane of [0, 1]) {
    const ofLane = numbers.filter((n) => n % 2 === lane);
    t.deepEqual(
      ofLane,
      Array.from({ length: 250 }, (_, n) => 2 * n + lane),
    );
  }
});

const bigOnes: Macro<[Open]> = test.macro(async (t, open) => {
  await using pair = await open();
  const received = receive(pair.b);
  receive(pair.a);
  const sizes = [300_000, 8, 262_144, 2_000_001, 4, 262_145, 70_000];
  for (const [n, size] of sizes.entries()) pair.a.send(frame(n + 1, size), 'call');
  const frames = await received.count(sizes.length);
  t.deepEqual(
    frames.map((bytes) => bytes.byteLength),
    sizes,
  );
  for (const [n, bytes] of frames.entries()) {
    t.true(Buffer.from(frame(n + 1, sizes[n]!)).equals(bytes));
    // A receiver reads doubles in place.
    if (bytes.byteLength >= 65_536) t.is(bytes.byteOffset % 8, 0);
  }
});

const bothWays: Macro<[Open]> = test.macro(async (t, open) => {
  await using pair = await open();
  const [atA, atB] = [receive(pair.a), receive(pair.b)];
  pair.a.send(frame(1), 'call');
  await atB.count(1);
  pair.b.send(frame(2), 'control');
  t.is(numberOf((await atA.count(1))[0]!), 2);
});

const early: Macro<[Open]> = test.macro(async (t, open) => {
  await using pair = await open();
  receive(pair.a);
  pair.a.send(frame(1), 'call');
  pair.a.send(frame(2), 'call');
  await new Promise(setImmediate);
  t.deepEqual((await receive(pair.b).count(2)).map(numberOf), [1, 2]);
});

const closing: Macro<[Open]> = test.macro(async (t, open) => {
  await using pair = await open();
  const [atA, atB] = [receive(pair.a), receive(pair.b)];
  pair.a.close('enough');
  pair.a.close('really');
  t.is(await atA.closed, 'enough');
  t.throws(() => pair.a.send(frame(1), 'call'), { code: 'E_CLOSED' });
  pair.b.close('me too');
  await atB.closed;
  await new Promise(setImmediate);
  t.deepEqual([atA.ends.length, atB.ends.length], [1, 1]);
});

for (const [kind, open] of everyKind) {
  test(`${kind}: frames keep their order within a lane`, inOrder, open);
  test(`${kind}: frames of any size arrive whole and aligned`, bigOnes, open);
  test(`${kind}: both ends send and receive`, bothWays, open);
  test(`${kind}: what came before the receiver is delivered to it`, early, open);
  test(`${kind}: closing is told once, and nothing is sent after it`, closing, open);
}

for (const [kind, open] of everyKind.filter(([name]) => name !== 'port')) {
  test(`${kind}: the other end hears the reason`, async (t) => {
    await using pair = await open();
    const [atA, atB] = [receive(pair.a), receive(pair.b)];
    pair.a.close('enough');
    t.is(await atB.closed, 'enough');
    t.is(await atA.closed, 'enough');
  });
}

test('a memory link hands over bytes, not the sender’s buffer', async (t) => {
  const [a, b] = memoryLink();
  const received = receive(b);
  const bytes = frame(1);
  a.send(bytes, 'call');
  bytes.fill(9);
  t.is(numberOf((await received.count(1))[0]!), 1);
  a.close('done');
});
