/** Encrypted links, between endpoints of this process. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { Endpoint } from '../../../runtime/wire/endpoint.js';
import { Tls, type TlsOptions } from '../../../runtime/wire/tls.js';
import { Authority, hasOpenssl, withoutOpenssl } from '../../helpers/certificates.js';
import { call, openEndpoint, rawSocket, token, untilClosed } from '../../helpers/endpoints.js';

const tlsTest = hasOpenssl ? test : test.skip;
const tlsTestAlone = hasOpenssl ? test.serial : test.serial.skip;
const title = (text: string): string => (hasOpenssl ? text : `${text} ${withoutOpenssl}`);
const ours = hasOpenssl ? new Authority('ours') : undefined!;
const theirs = hasOpenssl ? new Authority('theirs') : undefined!;

/** A process that dials. */
function dialler(tls: TlsOptions | undefined, shown = token): Endpoint {
  const events = { message: () => undefined };
  return new Endpoint({ role: 'driver', token: shown, events, ...(tls ? { tls } : {}) });
}

tlsTest(
  title('a certificate, or the token alone, encrypts a link, and either side may dial'),
  async (t) => {
    const { ca } = ours;
    await using named = await openEndpoint({ tls: { ca, ...ours.issue('named') } });
    await using unnamed = await openEndpoint({ tls: { ca } });
    t.regex(named.address.url, /^wss:\/\/127\.0\.0\.1:\d+$/);
    t.regex(unnamed.address.url, /^wss\+token:\/\/127\.0\.0\.1:\d+$/);
    t.is(
      await unnamed.endpoint.to(named.address).request(call('to a certificate')),
      'to a certificate',
    );
    await using other = await openEndpoint({ tls: { ca } });
    t.is(await other.endpoint.to(unnamed.address).request(call('by the token')), 'by the token');
    const large = new Float32Array(1_000_000).fill(0.5);
    t.deepEqual(await other.endpoint.to(named.address).request(call(large)), large);
  },
);

tlsTest(title('a Unix socket stays plain'), async (t) => {
  const { ca } = ours;
  await using a = await openEndpoint({ unix: true, tls: { ca } });
  await using b = await openEndpoint({ tls: { ca } });
  const address = { ...a.address, url: 'wss://127.0.0.1:1' };
  t.is(await b.endpoint.to(address).request(call('beside')), 'beside');
});

tlsTest(title('who is not believed is named with the reason'), async (t) => {
  const failure = async (
    tls: TlsOptions,
    message: RegExp,
    dials: TlsOptions = { ca: ours.ca },
  ): Promise<void> => {
    await using server = await openEndpoint({ tls });
    const client = dialler(dials);
    await t.throwsAsync(client.connect(server.address.url), { code: 'E_TLS', message });
    await client.close();
  };
  await failure(ours.issue('wrong-ca'), /authority that is not believed .*--tls-ca/, {
    ca: theirs.ca,
  });
  await failure(ours.issue('elsewhere', 'DNS:elsewhere.example'), /for another name or address/);
  // Nothing but the system's own authorities.
  await failure(ours.issue('private'), /authority that is not believed|vouches for itself/, {});
});

tlsTest(title('a certificate that has expired is told to whoever dials'), async (t) => {
  const { cert, key } = ours.issue('late', 'IP:127.0.0.1', -1);
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = dialler({ ca: ours.ca });
  await t.throwsAsync(client.connect(`wss://127.0.0.1:${port}`), {
    code: 'E_TLS',
    message: /its certificate has expired/,
  });
  await client.close();
  server.close();
});

tlsTest(title('only one side speaks TLS: both are told which'), async (t) => {
  await using encrypted = await openEndpoint({ tls: ours.issue('encrypted') });
  await using plain = await openEndpoint();
  const plainClient = dialler(undefined);
  const { url } = encrypted.address;
  await t.throwsAsync(plainClient.connect(url.replace('wss:', 'ws:')), {
    code: 'E_TLS',
    message: /speaks TLS; use wss:/,
  });
  const client = dialler({ ca: ours.ca });
  await t.throwsAsync(client.connect(plain.address.url.replace('ws:', 'wss:')), {
    code: 'E_TLS',
    message: /does not speak TLS; .*use ws:/,
  });
  // A process of an encrypted cluster is not to be talked into speaking plainly.
  await t.throwsAsync(client.connect(plain.address.url), {
    code: 'E_TLS',
    message: /not encrypted/,
  });
  await t.throwsAsync(client.to(plain.address).request(call(1)), { code: 'E_TLS' });
  await client.close();
  await plainClient.close();
});

tlsTest(
  title('a wrong token is refused behind TLS, and makes no link without a certificate'),
  async (t) => {
    await using named = await openEndpoint({ tls: ours.issue('token') });
    await using unnamed = await openEndpoint({ tls: {} });
    const client = dialler({ ca: ours.ca }, 'wrong');
    await t.throwsAsync(client.connect(named.address.url), { code: 'E_TOKEN' });
    await t.throwsAsync(client.connect(unnamed.address.url), { code: 'E_TLS' });
    await client.close();
  },
);

// Alone: others keep this thread while they make certificates.
tlsTestAlone(title('strangers are cut off, also those who never begin with TLS'), async (t) => {
  const tls = { ca: ours.ca, ...ours.issue('strict') };
  await using server = await openEndpoint({ tls, handshakeMs: 1_000, maxUnauthenticated: 2 });
  await using client = await openEndpoint({ tls: { ca: ours.ca } });
  const peer = client.endpoint.to(server.address);
  t.is(await peer.request(call('first')), 'first');
  const silent = await rawSocket(server.address);
  t.is(await untilClosed(silent), '');
  const babbler = await rawSocket(server.address);
  babbler.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  t.is(await untilClosed(babbler), '');
  const crowd = await Promise.all([1, 2, 3].map(() => rawSocket(server.address)));
  await Promise.race(crowd.map((socket) => once(socket, 'close')));
  for (const socket of crowd) socket.destroy();
  // Who has shown the token has all the time there is.
  t.is(await peer.request(call('last')), 'last');
});

tlsTest(title('an endpoint closes at once, whoever is in the middle of a handshake'), async (t) => {
  const server = await openEndpoint({ tls: ours.issue('closing'), handshakeMs: 60_000 });
  const silent = await rawSocket(server.address);
  await server[Symbol.asyncDispose]();
  t.is(await untilClosed(silent), '');
});

tlsTest(title('files that will not do are named'), (t) => {
  const good = ours.issue('good');
  const other = ours.issue('other');
  const refused = (tls: TlsOptions, message: RegExp): void => {
    t.throws(() => new Tls(tls, token), { code: 'E_TLS', message });
  };
  refused({ ca: '/no/such/file' }, /cannot read the certificates: .*\/no\/such\/file/);
  refused({ ...good, cert: '/no/such/file' }, /cannot read the certificate: .*\/no\/such\/file/);
  refused({ ...good, key: '/no/such/file' }, /cannot read the key/);
  refused({ cert: good.cert }, /given together/);
  refused({ key: good.key }, /given together/);
  refused({ ca: good.key }, /holds no certificate in PEM/);
  refused({ cert: good.cert, key: good.cert }, /holds no key/);
  refused(
    { cert: good.cert, key: other.key },
    /the key in .*other\.key is not that of .*good\.pem/,
  );
  const broken = '-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n';
  refused({ ca: ours.file('broken.pem', broken) }, /holds a broken certificate/);
  refused(ours.issue('expired', 'IP:127.0.0.1', -1), /expired on/);
});

test('nobody listens without a token', async (t) => {
  const endpoint = new Endpoint({ role: 'head', token: '', events: { message: () => undefined } });
  await t.throwsAsync(endpoint.listen({ host: '0.0.0.0', port: 0 }), { code: 'E_TOKEN' });
  await endpoint.close();
});
