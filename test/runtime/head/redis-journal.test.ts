import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { RedisJournal, type RedisJournalOptions } from '../../../runtime/head/redis-journal.js';
import { encodingContract, journalContract, sorted } from '../../helpers/journal-contract.js';
import { RedisServer, redisProgram } from '../../helpers/redis-server.js';
import { freePort, RestartingCluster } from '../../helpers/restarting-cluster.js';
import { until } from '../../helpers/until.js';

const program = redisProgram();
const server = program === undefined ? undefined : await RedisServer.start(program);
test.after.always(() => server?.stop());

let places = 0;
const newUrl = (): string => `${server!.url}/0?name=place-${places++}`;
const newPlace = (): (() => Promise<RedisJournal>) => {
  const url = newUrl();
  return () => RedisJournal.open(url);
};

const ownerKey = (url: string): string =>
  `patchbay:{${new URL(url).searchParams.get('name')}}:owner`;

const script = fileURLToPath(new URL('../../fixtures/journal-writer.js', import.meta.url));

/** A process that has the journal, on a machine of that name; killed with SIGKILL when it is told to. */
async function writerAt(url: string, lockMs: number, machine?: string) {
  const writer = spawn(process.execPath, [script, url, String(lockMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...(machine ? { PATCHBAY_MACHINE: machine } : {}) },
  });
  const exited = once(writer, 'exit');
  await once(writer.stdout, 'data');
  return {
    pid: writer.pid!,
    kill: async (): Promise<void> => {
      writer.kill('SIGKILL');
      await exited;
    },
  };
}

if (!server) {
  test('there is no Redis server to be had', (t) => {
    t.log(
      'neither valkey-server nor redis-server is in PATH, and none could be installed: skipped',
    );
    t.pass();
  });
} else {
  journalContract('redis', newPlace);
  encodingContract('redis', newPlace);

  test('what was written outlives a process that is killed, and on its machine the lock does not', async (t) => {
    const url = newUrl();
    const writer = await writerAt(url, 30_000);
    const inUse = { code: 'E_JOURNAL', message: new RegExp(`in use by process ${writer.pid} on`) };
    await t.throwsAsync(RedisJournal.open(url), inUse);
    await t.throwsAsync(RedisJournal.open(url, { fresh: true }), inUse);
    await writer.kill();
    const journal = await RedisJournal.open(url);
    t.like(await sorted(journal), [['actor/1', { alive: true }]]);
    await journal.close();
    const fresh = await RedisJournal.open(url, { fresh: true });
    t.deepEqual(await sorted(fresh), []);
    await fresh.remove();
  });

  test('a head of another machine is waited for until its lock has run out, and refuses others while it lives', async (t) => {
    const url = newUrl();
    const lockMs = 5_000;
    const writer = await writerAt(url, lockMs, 'elsewhere');
    const warnings: string[] = [];
    const options: RedisJournalOptions = { lockMs, warn: (text) => warnings.push(text) };
    await t.throwsAsync(RedisJournal.open(url, options), {
      code: 'E_JOURNAL',
      message: new RegExp(`in use by process ${writer.pid} on elsewhere`),
    });
    t.regex(warnings[0]!, /is held by process \d+ on elsewhere: is that dead\?/);
    await writer.kill();
    const journal = await RedisJournal.open(url, options);
    t.like(await sorted(journal), [['actor/1', { alive: true }]]);
    await journal.remove();
  });

  test('a head that has lost its lock can write no more, and hears so', async (t) => {
    const url = newUrl();
    const journal = await RedisJournal.open(url);
    await journal.write([{ key: 'a', value: 1 }]);
    await server.command('DEL', ownerKey(url));
    const next = await RedisJournal.open(url);
    let isKept = false;
    void journal.write([{ key: 'a', value: 2 }]).then(() => {
      isKept = true;
    });
    t.like(await journal.lost, { code: 'E_JOURNAL' });
    t.regex((await journal.lost).message, /another head has it now/);
    t.false(isKept);
    // Neither can it take anything away from the other.
    await journal.remove();
    t.deepEqual(await sorted(next), [['a', 1]]);
    await next.remove();
    t.is(await server.command('EXISTS', ownerKey(url)), 0);
  });

  test('a server that comes back is told what it missed', async (t) => {
    await using own = await RedisServer.start(program!);
    const warnings: string[] = [];
    const journal = await RedisJournal.open(own.url, { warn: (text) => warnings.push(text) });
    await journal.write([{ key: 'a', value: 1 }]);
    await own.stop();
    const kept = Promise.all([
      journal.write([{ key: 'b', value: 2 }]),
      journal.write([{ key: 'a' }]),
    ]);
    await until('it is missed', () => warnings.length === 1);
    await own.start();
    await kept;
    t.deepEqual(await sorted(journal), [['b', 2]]);
    t.regex(warnings.join('\n'), /is waited for: .*\n.*answers again/);
    await journal.remove();
  });

  test('a head whose server stays away hears that it has to end', async (t) => {
    await using own = await RedisServer.start(program!);
    const journal = await RedisJournal.open(own.url, { lockMs: 1_000 });
    await own.stop();
    t.regex((await journal.lost).message, /is lost: it does not answer for 1 s \(/);
    await journal.close();
    await t.throwsAsync(RedisJournal.open(own.url), { code: 'E_JOURNAL', message: /ECONNREFUSED/ });
  });

  test('a password is not shown, and what is no journal is an E_JOURNAL', async (t) => {
    const url = `redis://:secret@127.0.0.1:${await freePort()}`;
    const error = await t.throwsAsync(RedisJournal.open(url), { code: 'E_JOURNAL' });
    t.notRegex(error.message, /secret/);
    await server.command('SET', 'patchbay:{odd}:rows', 'text');
    const journal = await RedisJournal.open(`${server.url}?name=odd`);
    await t.throwsAsync(journal.rows(), { code: 'E_JOURNAL', message: /WRONGTYPE/ });
    await journal.remove();
  });

  test('a head on a server is killed and comes back; one that has lost its lock leaves the cluster to the next', async (t) => {
    const url = newUrl();
    await using opened = await RestartingCluster.start([2], '--journal', url);
    const driver = await opened.connect();
    const lib = await driver.load<typeof import('../../fixtures/actors/counter.js')>(
      new URL('../../fixtures/actors/counter.js', import.meta.url),
    );
    const counter = await lib.Counter.create({ name: 'c' });
    t.is(await counter.add(1), 1);
    await opened.killHead();
    await opened.startHead();
    t.is((await driver.status()).actors.length, 1);
    t.is(await counter.add(1), 2);
    await server.command('DEL', ownerKey(url));
    const { code, stderr } = await opened.head.outcome;
    t.is(code, 1);
    t.regex(stderr, /E_JOURNAL: journal redis:\S+ is lost: another head has it now/);
    await opened.startHead();
    t.is((await driver.status()).actors.length, 1);
    t.is(await counter.add(1), 3);
  });
}
