import { once } from 'node:events';
import test from 'ava';
import { linkLimits } from '../../../runtime/wire/websocket-link.js';
import { frame, numberOf, receive, socketPair } from '../../helpers/links.js';

/** What a peer could send by hand: kind of piece, lane, bytes of the whole frame, and the bytes themselves. */
function piece(kind: number, lane: number, total: number, body: Uint8Array): readonly Uint8Array[] {
  const head = Buffer.alloc(8);
  head.writeUInt8(kind, 0);
  head.writeUInt8(lane, 1);
  head.writeUInt32LE(total, 4);
  return kind === 1 || kind === 2 ? [head, body] : [Buffer.concat([head, body])];
}

for (const where of ['tcp', 'unix'] as const) {
  test(`a small call overtakes a big latest frame (${where})`, async (t) => {
    await using pair = await socketPair(where);
    const received = receive(pair.b);
    receive(pair.a);
    pair.a.send(frame(1, 64 * 1024 * 1024), 'latest');
    pair.a.send(frame(2), 'call');
    pair.a.send(frame(3), 'control');
    t.deepEqual((await received.count(3)).map(numberOf), [3, 2, 1]);
  });
}

test('a peer that reads nothing makes the sender fail, with bounded memory', async (t) => {
  const maxQueuedBytes = 8 * 1024 * 1024;
  await using pair = await socketPair('tcp', { maxQueuedBytes });
  const received = receive(pair.b);
  receive(pair.a);
  pair.sockets[1].pause();
  let sent = 0;
  const flood = (): void => {
    for (;;) pair.a.send(frame(sent++, 1024 * 1024), 'call');
  };
  t.throws(flood, { code: 'E_BACKPRESSURE' });
  // The socket itself takes a little more than its limit, the kernel its own share.
  t.true(pair.sockets[0].bufferedAmount < linkLimits.socketBytes + 2 * linkLimits.chunkBytes);
  t.true(sent * 1024 * 1024 < maxQueuedBytes + 32 * 1024 * 1024);
  pair.sockets[1].resume();
  const arrived = (await received.count(sent - 1)).map(numberOf);
  t.deepEqual(arrived, [...arrived.keys()]);
  pair.a.send(frame(99), 'call');
  t.is(numberOf((await received.count(sent)).at(-1)!), 99);
});

test('a frame above the limit is refused by its sender, and the link lives on', async (t) => {
  await using pair = await socketPair('tcp', { maxFrameBytes: 1024 });
  const received = receive(pair.b);
  receive(pair.a);
  t.throws(() => pair.a.send(frame(1, 1025), 'call'), { code: 'E_ENCODE', message: /1025 bytes/ });
  pair.a.send(frame(2, 1024), 'call');
  t.is(numberOf((await received.count(1))[0]!), 2);
});

const body = new Uint8Array(16);
const malformed: readonly (readonly [string, readonly Uint8Array[], RegExp])[] = [
  ['an oversize announcement', piece(1, 1, 2 ** 31, body), /2147483648 bytes; the limit is/],
  ['an unknown lane', piece(0, 4, 16, body), /malformed/],
  ['an unknown kind of piece', piece(3, 1, 16, body), /malformed/],
  ['a whole frame of another length', piece(0, 1, 17, body), /wrong length/],
  ['a continuation of nothing', piece(2, 1, 32, body), /belongs to no frame/],
  ['a first piece beyond its own frame', piece(1, 1, 8, body), /belongs to no frame/],
  ['a piece that brings its body along', [Buffer.concat(piece(1, 1, 32, body))], /wrong length/],
  ['a few bytes', [Buffer.of(0, 1)], /malformed/],
  ['nothing', [Buffer.alloc(0)], /malformed/],
];
for (const [what, messages, text] of malformed) {
  test(`${what} closes the link and delivers nothing`, async (t) => {
    await using pair = await socketPair('tcp');
    const received = receive(pair.b);
    pair.sockets[0].resume();
    for (const message of messages) pair.sockets[0].send(message);
    t.regex(await received.closed, text);
    t.is(received.frames.length, 0);
    await once(pair.sockets[0], 'close');
  });
}

test('a second first piece, or a piece of another frame, is refused', async (t) => {
  for (const second of [piece(1, 1, 64, body), piece(2, 1, 48, body)]) {
    await using pair = await socketPair('tcp');
    const received = receive(pair.b);
    for (const message of [...piece(1, 1, 64, body), ...second]) pair.sockets[0].send(message);
    t.regex(await received.closed, /belongs to no frame/);
  }
});

test('a text message closes the link', async (t) => {
  await using pair = await socketPair('tcp');
  const received = receive(pair.b);
  pair.sockets[0].send('hello there');
  t.regex(await received.closed, /a text/);
});

test('a peer that is silent is given up, one that only listens is not', async (t) => {
  await using pair = await socketPair('tcp', { pingMs: 20 });
  const [silent, patient] = [receive(pair.a), receive(pair.b)];
  // A paused socket answers no ping, as a stopped process does not.
  pair.sockets[1].pause();
  t.regex(await silent.closed, /no sign of life/);
  pair.sockets[1].resume();
  await patient.closed;
  await using living = await socketPair('tcp', { pingMs: 20 });
  const [a, b] = [receive(living.a), receive(living.b)];
  for (let pings = 0; pings < 8; pings++) await once(living.sockets[0], 'ping');
  t.deepEqual([a.ends, b.ends], [[], []]);
});

test('a peer that may be silent for ever is not pinged, so that TCP can find out that it is gone', async (t) => {
  await using pair = await socketPair('tcp', { pingMs: 10, silentPings: Number.POSITIVE_INFINITY });
  receive(pair.a);
  receive(pair.b);
  let pings = 0;
  for (const socket of pair.sockets) socket.on('ping', () => pings++);
  // Another pair with as short a time shows that it has passed.
  await using other = await socketPair('tcp', { pingMs: 10 });
  receive(other.a);
  receive(other.b);
  for (let seen = 0; seen < 5; seen++) await once(other.sockets[0], 'ping');
  t.is(pings, 0);
});

test('data counts as a sign of life, although its pong is late', async (t) => {
  await using pair = await socketPair('tcp', { pingMs: 20 });
  const talking = receive(pair.a);
  receive(pair.b);
  // This end of the pair never sees a pong, only frames.
  pair.sockets[0].removeAllListeners('pong');
  for (let n = 0; n < 12; n++) {
    await Promise.race([once(pair.sockets[0], 'ping'), talking.closed]);
    pair.b.send(frame(n), 'call');
  }
  t.deepEqual(talking.ends, []);
});

test('a reason of any length and script can be given for closing', async (t) => {
  await using pair = await socketPair('tcp');
  const [atA, atB] = [receive(pair.a), receive(pair.b)];
  pair.a.close('理由'.repeat(100));
  t.is((await atA.closed).length, 200);
  t.regex(await atB.closed, /^理由/);
});

test('a peer that never answers the closing does not keep the socket open', async (t) => {
  await using pair = await socketPair('tcp', { closeMs: 20 });
  receive(pair.a);
  pair.sockets[1].pause();
  const closed = once(pair.sockets[0], 'close');
  pair.a.close('enough');
  await closed;
  t.is(pair.sockets[0].readyState, pair.sockets[0].CLOSED);
});
