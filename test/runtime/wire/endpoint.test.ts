import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { ProcessId } from '../../../runtime/ids.js';
import { call, openEndpoint, portOf } from '../../helpers/endpoints.js';
import { tempFolder } from '../../helpers/temp-folder.js';

for (const unix of [false, true]) {
  test(`two endpoints call each other over one link (unix: ${unix})`, async (t) => {
    await using a = await openEndpoint({ unix });
    await using b = await openEndpoint({ unix });
    const toB = a.endpoint.to(b.address);
    t.is(await toB.request(call('there')), 'there');
    const toA = b.endpoint.to(a.address);
    t.is(await toA.request(call('back')), 'back');
    t.deepEqual([a.endpoint.peers.size, b.endpoint.peers.size], [1, 1]);
    t.is(a.endpoint.to(b.address), toB);
  });
}

test('two endpoints that dial each other at once end up with one link, and lose nothing', async (t) => {
  for (let round = 0; round < 60; round++) {
    const unix = round % 2 === 0;
    await using a = await openEndpoint({ unix });
    await using b = await openEndpoint({ unix });
    const calls = Array.from({ length: 8 }, (_, n) =>
      n % 2 === 0
        ? a.endpoint.to(b.address).request<number>(call(n))
        : b.endpoint.to(a.address).request<number>(call(n)),
    );
    t.deepEqual(await Promise.all(calls), [0, 1, 2, 3, 4, 5, 6, 7]);
    t.deepEqual([a.endpoint.peers.size, b.endpoint.peers.size], [1, 1]);
    t.deepEqual([...a.ends, ...b.ends], []);
  }
});

test('many endpoints that all dial all lose nothing', async (t) => {
  const all = await Promise.all(Array.from({ length: 6 }, () => openEndpoint()));
  const answers = await Promise.all(
    all.flatMap((from) =>
      all.filter((to) => to !== from).map((to) => from.endpoint.to(to.address).request(call(7))),
    ),
  );
  t.deepEqual(new Set(answers), new Set([7]));
  for (const { endpoint, ends } of all) t.deepEqual([endpoint.peers.size, ends.length], [5, 0]);
  await Promise.all(all.map(({ endpoint }) => endpoint.close()));
});

test('an endpoint reaches itself', async (t) => {
  await using a = await openEndpoint({ unix: true });
  const self = a.endpoint.to(a.address);
  t.deepEqual(await Promise.all([self.request(call(1)), self.request(call(2))]), [1, 2]);
  t.is(a.endpoint.to(a.address), self);
  t.deepEqual(a.ends, []);
});

test('an address whose process is gone is unreachable, also when somebody else has its port', async (t) => {
  await using a = await openEndpoint();
  await using b = await openEndpoint();
  const gone = { ...b.address, process: 'somebody-else' as ProcessId };
  await t.throwsAsync(a.endpoint.to(gone).request(call(1)), {
    code: 'E_UNREACHABLE',
    message: /another process/,
  });
  t.deepEqual(b.messages, []);
  t.is(await a.endpoint.to(b.address).request(call(2)), 2);
});

test('a peer that closes rejects what waits for it, and is dialled anew the next time', async (t) => {
  await using a = await openEndpoint();
  await using b = await openEndpoint({ answer: () => undefined });
  const pending = a.endpoint.to(b.address).request(call(1));
  while (b.messages.length === 0) await new Promise(setImmediate);
  for (const peer of b.endpoint.peers.values()) peer.close('enough');
  await t.throwsAsync(pending, { code: 'E_PEER_LOST', message: /enough/ });
  t.is(a.endpoint.peers.size, 0);
  void a.endpoint
    .to(b.address)
    .request(call(2))
    .catch(() => undefined);
  while (b.messages.length === 1) await new Promise(setImmediate);
  t.pass();
});

test('nobody at the address is an E_UNREACHABLE', async (t) => {
  await using a = await openEndpoint();
  const { address, endpoint } = await openEndpoint({ unix: true });
  await endpoint.close();
  await t.throwsAsync(a.endpoint.to(address).request(call(1)), { code: 'E_UNREACHABLE' });
  await t.throwsAsync(a.endpoint.connect(address.url), { code: 'E_UNREACHABLE' });
});

test('a dead Unix socket is no reason to give up the port', async (t) => {
  await using a = await openEndpoint();
  await using b = await openEndpoint();
  const address = { ...b.address, unix: '/nonexistent/x.sock' };
  t.is(await a.endpoint.to(address).request(call(1)), 1);
});

test('a folder that is gone is not made again for a socket', async (t) => {
  await using a = await openEndpoint();
  const gone = join(tempFolder('endpoint'), 'gone');
  const listening = a.endpoint.listen({ host: '127.0.0.1', port: 0, unix: join(gone, 'e.sock') });
  await t.throwsAsync(listening, { code: 'E_LISTEN' });
  t.false(existsSync(gone));
});

test('an address in use is an E_LISTEN', async (t) => {
  await using a = await openEndpoint();
  await using b = await openEndpoint();
  const listening = b.endpoint.listen({ host: '127.0.0.1', port: portOf(a.address) });
  await t.throwsAsync(listening, { code: 'E_LISTEN', message: /EADDRINUSE/ });
});

test('closing while a dial is under way leaves nothing open', async (t) => {
  const a = await openEndpoint();
  await using b = await openEndpoint();
  const pending = a.endpoint.to(b.address).request(call(1));
  await a.endpoint.close('going');
  await t.throwsAsync(pending, { code: 'E_CLOSED' });
  // If the dial came through all the same, its link must be gone again.
  while (b.endpoint.peers.size > 0) await new Promise(setImmediate);
  t.pass();
});

test('closing does not wait for a peer that has stopped reading', async (t) => {
  await using a = await openEndpoint({ limits: { closeMs: 20 } });
  await using b = await openEndpoint({ limits: { closeMs: 20 } });
  await a.endpoint.to(b.address).request(call(1));
  await Promise.all([a.endpoint.close(), a.endpoint.close()]);
  t.regex(await b.left(), /closed/);
});

test('an endpoint that was closed dials nobody any more', async (t) => {
  const a = await openEndpoint();
  await using b = await openEndpoint();
  await a.endpoint.close();
  await t.throwsAsync(a.endpoint.to(b.address).request(call(1)), {
    code: 'E_PEER_LOST',
    message: /left the cluster/,
  });
  t.is(b.endpoint.peers.size, 0);
});
