import { once } from 'node:events';
import test from 'ava';
import { WebSocket } from 'ws';
import { Endpoint } from '../../../runtime/wire/endpoint.js';
import { bearer, encodeHello, helloHeader } from '../../../runtime/wire/handshake.js';
import type { Role } from '../../../runtime/wire/messages.js';
import {
  call,
  type Opened,
  openEndpoint,
  rawSocket,
  token,
  untilClosed,
  upgradeText,
} from '../../helpers/endpoints.js';

const stranger = (secret: string): Endpoint =>
  new Endpoint({ role: 'driver', token: secret, events: { message: () => undefined } });

const hello = encodeHello(stranger(token).hello);

/** The endpoint still serves those who may. */
async function stillServes({ address }: Opened): Promise<boolean> {
  const guest = stranger(token);
  const peer = await guest.connect(address.url);
  const answer = await peer.request(call('alive'));
  await guest.close();
  return answer === 'alive';
}

test('a wrong token is an E_TOKEN, and no frame is read', async (t) => {
  await using server = await openEndpoint();
  await t.throwsAsync(stranger('guess').connect(server.address.url), { code: 'E_TOKEN' });
  const socket = await rawSocket(server.address);
  // A hello that would be refused with 400 shows that it is not even looked at.
  socket.write(upgradeText({ authorization: bearer('guess'), [helloHeader]: 'garbage' }));
  socket.write(Buffer.alloc(1024, 0xff));
  t.regex(await untilClosed(socket), /^HTTP\/1\.1 401 /);
  t.deepEqual([server.messages.length, server.endpoint.peers.size], [0, 0]);
});

test('a caller without a hello, or with another protocol, is refused in words', async (t) => {
  await using server = await openEndpoint();
  const later = Buffer.from(
    JSON.stringify({ oldest: 7, newest: 9, process: 'p', role: 'host', machine: 'm' }),
  );
  for (const [header, why] of [
    ['', 'no hello'],
    [later.toString('base64url'), 'protocol 7-9 is not spoken here'],
  ] as const) {
    const socket = await rawSocket(server.address);
    const headers = header ? { [helloHeader]: header } : {};
    socket.write(upgradeText({ authorization: bearer(token), ...headers }));
    const text = await untilClosed(socket);
    t.true(text.startsWith('HTTP/1.1 400 ') && text.includes(why), text);
  }
});

test('a caller who hangs up while it is refused does no harm', async (t) => {
  await using server = await openEndpoint();
  for (let n = 0; n < 20; n++) {
    const socket = await rawSocket(server.address);
    socket.write(upgradeText({ authorization: bearer('guess') }));
    socket.resetAndDestroy();
  }
  t.true(await stillServes(server));
});

test('what is no WebSocket handshake at all does no harm', async (t) => {
  await using server = await openEndpoint();
  for (const text of [
    '\x16\x03\x01 hello\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
  ]) {
    const socket = await rawSocket(server.address);
    socket.write(text);
    t.regex(await untilClosed(socket), /^HTTP\/1\.1 4(00|26) /);
  }
  const socket = await rawSocket(server.address);
  const broken = upgradeText({ authorization: bearer(token), [helloHeader]: hello });
  socket.write(broken.replace(/sec-websocket-key: .*\r\n/, ''));
  t.regex(await untilClosed(socket), /^HTTP\/1\.1 400 /);
  t.true(await stillServes(server));
});

/** A stranger with the right token that then sends what it likes. */
async function insider(server: Opened, role: Role = 'driver'): Promise<WebSocket> {
  const socket = new WebSocket(server.address.url, {
    perMessageDeflate: false,
    headers: {
      authorization: bearer(token),
      [helloHeader]: encodeHello({ ...stranger(token).hello, role }),
    },
  });
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

const whole = (body: Uint8Array): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt8(1, 1);
  head.writeUInt32LE(body.byteLength, 4);
  return Buffer.concat([head, body]);
};

const oversize = (): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt8(1, 0);
  head.writeUInt8(1, 1);
  head.writeUInt32LE(0xffff_ffff, 4);
  return head;
};

const rubbish: readonly (readonly [string, Buffer])[] = [
  ['garbage bytes', Buffer.alloc(64, 0xff)],
  ['a frame of garbage', whole(Buffer.alloc(64, 0xff))],
  ['an empty frame', whole(Buffer.alloc(0))],
  ['an oversize announcement', oversize()],
  ['a message beyond the largest piece', Buffer.alloc(2 * 1024 * 1024)],
];
for (const [what, bytes] of rubbish) {
  test(`${what} closes that link and no other`, async (t) => {
    await using server = await openEndpoint();
    await using honest = await openEndpoint();
    const peer = honest.endpoint.to(server.address);
    await peer.request(call(1));
    const socket = await insider(server);
    const closed = once(socket, 'close');
    socket.send(bytes);
    await closed;
    t.is(await peer.request(call(2)), 2);
    t.is(server.endpoint.peers.size, 1);
  });
}

test('a process that claims to be one that is here already is refused', async (t) => {
  await using server = await openEndpoint();
  const known = stranger(token);
  const peer = await known.connect(server.address.url);
  const socket = await rawSocket(server.address);
  socket.write(
    upgradeText({ authorization: bearer(token), [helloHeader]: encodeHello(known.hello) }),
  );
  t.regex(await untilClosed(socket), /^HTTP\/1\.1 409 /);
  t.is(await peer.request(call(1)), 1);
  await known.close();
});

test('a connection that never finishes its handshake is cut off', async (t) => {
  await using server = await openEndpoint({ handshakeMs: 250 });
  const silent = await rawSocket(server.address);
  const slow = await rawSocket(server.address);
  slow.write('GET / HTTP/1.1\r\nhost: ');
  t.deepEqual(await Promise.all([untilClosed(silent), untilClosed(slow)]), ['', '']);
  t.true(await stillServes(server));
});

test('unauthenticated connections are few, and do not count once they are in', async (t) => {
  await using server = await openEndpoint({ maxUnauthenticated: 3 });
  const guests = Array.from({ length: 5 }, () => stranger(token));
  for (const guest of guests) await guest.connect(server.address.url);
  const waiting = [];
  for (let n = 0; n < 3; n++) waiting.push(await rawSocket(server.address));
  const excess = await rawSocket(server.address);
  await untilClosed(excess);
  t.deepEqual(
    waiting.map(({ destroyed }) => destroyed),
    [false, false, false],
  );
  const gone = waiting.map((socket) => {
    socket.destroy();
    return once(socket, 'close');
  });
  await Promise.all(gone);
  while (!(await stillServes(server).catch(() => false)));
  while (server.endpoint.peers.size > guests.length) await new Promise(setImmediate);
  t.is(server.endpoint.peers.size, guests.length);
  await Promise.all(guests.map((guest) => guest.close()));
});

test('more than the queue holds fails with E_BACKPRESSURE, and the rest goes through', async (t) => {
  await using server = await openEndpoint();
  await using client = await openEndpoint({ limits: { maxQueuedBytes: 4 * 1024 * 1024 } });
  const peer = client.endpoint.to(server.address);
  await peer.request(call(1));
  const big = new Uint8Array(1024 * 1024);
  // All at once: nothing leaves in between.
  const calls = Array.from({ length: 32 }, () => peer.request(call(big)));
  const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected');
  t.true(failed.length > 20, `${failed.length}`);
  for (const result of failed) t.like(result, { reason: { code: 'E_BACKPRESSURE' } });
  t.is(server.messages.length, 1 + calls.length - failed.length);
  t.is(await peer.request(call(2)), 2);
});

test('a silent peer is lost, and whatever waited for it is told', async (t) => {
  const limits = { pingMs: 25, closeMs: 20 };
  await using server = await openEndpoint({ limits, answer: () => undefined });
  // A driver may hold its thread for as long as it likes.
  const driver = await insider(server, 'driver');
  driver.pause();
  const [patient] = server.endpoint.peers.values();
  const host = await insider(server, 'host');
  const [, peer] = server.endpoint.peers.values();
  const pending = peer!.request(call(1));
  host.pause();
  await t.throwsAsync(pending, { code: 'E_PEER_LOST', message: /no sign of life/ });
  t.regex(await server.left(), /no sign of life/);
  t.false(patient!.closed);
  driver.terminate();
  host.terminate();
});
