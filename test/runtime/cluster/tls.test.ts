/** A whole cluster behind TLS, as a user starts it. */

import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { fileURLToPath } from 'node:url';
import anyTest, { type TestFn } from 'ava';
import { type Cluster, connect } from '../../../runtime/index.js';
import { Authority, hasOpenssl, withoutOpenssl } from '../../helpers/certificates.js';
import { Terminal } from '../../helpers/command.js';

interface Context {
  readonly terminal: Terminal;
  readonly address: string;
  readonly cluster: Cluster;
}

const test = anyTest as TestFn<Context>;
const tlsTest = hasOpenssl ? test.serial : test.serial.skip;
const title = (text: string): string => (hasOpenssl ? text : `${text} ${withoutOpenssl}`);
const authority = hasOpenssl ? new Authority('cluster') : undefined!;
const module = new URL('../../fixtures/actors/encrypted.js', import.meta.url);
const driver = fileURLToPath(new URL('../../fixtures/job-driver.js', import.meta.url));

test.serial.before(async (t) => {
  if (!hasOpenssl) return;
  const terminal = new Terminal();
  const { cert, key } = authority.issue('head');
  const { ca } = authority;
  const tls = ['--tls-cert', cert, '--tls-key', key, '--tls-ca', ca];
  const head = terminal.start(
    'start',
    '--head',
    '--port',
    '0',
    '--cpus',
    '2',
    '--name',
    'n0',
    ...tls,
  );
  const [, address] = await head.printed(/Head at (wss:\S+),/);
  await head.printed(/Node n0 joined/);
  terminal.env['PATCHBAY_ADDRESS'] = address!;
  terminal.env['PATCHBAY_TLS_CA'] = ca;
  // A node without a certificate of its own.
  const node = terminal.start('start', '--cpus', '2', '--name', 'n1');
  await node.printed(/Node n1 joined/);
  const cluster = await connect({ address: address!, token: terminal.token(), tls: { ca } });
  t.context = { terminal, address: address!, cluster };
});

test.serial.after.always(async (t) => {
  if (!hasOpenssl) return;
  await t.context.cluster.close();
  await t.context.terminal[Symbol.asyncDispose]();
});

tlsTest(
  title('hosts show the certificate of their node, or are encrypted by the token'),
  async (t) => {
    const { cluster } = t.context;
    const lib = await cluster.load<typeof import('../../fixtures/actors/encrypted.js')>(module);
    const urls = await Promise.all(
      ['n0', 'n1'].map(async (node) => {
        const where = await lib.Where.create({ resources: {}, schedulingStrategy: { node } });
        return where.url();
      }),
    );
    t.regex(urls[0]!, /^wss:\/\//);
    t.regex(urls[1]!, /^wss\+token:\/\//);
  },
);

tlsTest(
  title('an actor reaches others over TCP, and a driver that nobody has dialled'),
  async (t) => {
    const { cluster } = t.context;
    const lib = await cluster.load<typeof import('../../fixtures/actors/encrypted.js')>(module);
    const [near, far] = await Promise.all([
      lib.Where.create({ resources: {}, schedulingStrategy: { node: 'n0' } }),
      lib.Where.create({ resources: {}, schedulingStrategy: { node: 'n1' } }),
    ]);
    // As from another machine: no Unix socket is taken.
    t.is(await near.askOverTcp(far), 'n1');
    t.is(await far.askOverTcp(near), 'n0');
    const ref = cluster.put({ answer: 42 });
    t.deepEqual(await near.passOn(far, { ref }), { answer: 42 });
  },
);

tlsTest(title('commands, and jobs, find their way by PATCHBAY_TLS_CA'), async (t) => {
  const { terminal } = t.context;
  t.regex((await terminal.run('status')).stdout, /^Cluster at wss:.*: 2 nodes/);
  const { code, stdout, stderr } = await terminal.run(
    'job',
    'submit',
    '--',
    process.execPath,
    driver,
  );
  t.is(code, 0, stderr);
  t.regex(stdout, /^ready \d+\n$/);
});

tlsTest(title('metrics and jobs are to be had by https, and not by http'), async (t) => {
  const { address, terminal } = t.context;
  const get = (path: string, token: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const url = `${address.replace('wss:', 'https:')}${path}`;
      const headers = { authorization: `Bearer ${token}`, connection: 'close' };
      request(url, { ca: readFileSync(authority.ca), headers }, (response) => {
        let text = `${response.statusCode} `;
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
  t.regex(await get('/metrics', terminal.token()), /^200 [\s\S]*patchbay_nodes 2/);
  t.regex(await get('/api/jobs', terminal.token()), /^200 {"jobs":/);
  t.regex(await get('/api/jobs', 'wrong'), /^401 /);
  await t.throwsAsync(fetch(`${address.replace('wss:', 'http:')}/metrics`));
});

tlsTest(title('what is wrong with certificates is told in one line'), async (t) => {
  const { address, terminal } = t.context;
  const told = async (message: RegExp, ...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await terminal.run(...args);
    t.is(code, 1, args.join(' '));
    t.regex(stderr, message);
  };
  const stranger = new Authority('stranger').ca;
  await told(/E_TLS: .*not believed/, 'status', '--tls-ca', stranger);
  await told(/E_TLS: cannot read the certificates/, 'status', '--tls-ca', 'nowhere.pem');
  const plain = address.replace('wss:', 'ws:');
  await told(
    /E_TLS: .*certificates are given, but/,
    'status',
    '--address',
    plain,
    '--tls-ca',
    stranger,
  );
  await told(/E_TLS: .*speaks TLS; use wss:/, 'status', '--address', plain);
  await told(/E_TLS: .*speaks TLS; use wss:/, 'start', '--address', plain);
  await told(/E_TLS: .*not believed/, 'start', '--tls-ca', stranger);
  const expired = authority.issue('expired', 'IP:127.0.0.1', -1);
  const files = ['--tls-cert', expired.cert, '--tls-key', expired.key];
  await told(/E_TLS: .*expired on/, 'start', '--head', '--port', '0', ...files);
  await told(
    /E_TLS: .*given together/,
    'start',
    '--head',
    '--port',
    '0',
    '--tls-cert',
    expired.cert,
  );
  const elsewhere = authority.issue('elsewhere', 'DNS:elsewhere.example');
  const wrong = ['--tls-cert', elsewhere.cert, '--tls-key', elsewhere.key, '--cpus', '1'];
  // The head that has been started for nothing ends again.
  await told(/E_TLS: .*for another name/, 'start', '--head', '--port', '0', ...wrong);
});
