/** Jobs that are commands: real processes, on a cluster of this machine. */

import { fileURLToPath } from 'node:url';
import anyTest, { type TestFn } from 'ava';
import { type Cluster, connect, type JobOptions } from '../../../runtime/index.js';
import { isAlive } from '../../helpers/descendants.js';
import { lineOf, printedBy } from '../../helpers/jobs.js';
import { allGone, openCluster, type TestCluster } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';

interface Context {
  readonly opened: TestCluster;
  readonly cluster: Cluster;
}

const test = anyTest as TestFn<Context>;
const driver = fileURLToPath(new URL('../../fixtures/job-driver.js', import.meta.url));
const driverJob = (...args: readonly string[]): string =>
  [process.execPath, driver, ...args].join(' ');

test.serial.before(async (t) => {
  const opened = await openCluster({ workers: 1, logToDriver: false });
  t.context = { opened, cluster: opened.cluster };
});

test.serial.after.always(async (t) => {
  await t.context.opened[Symbol.asyncDispose]();
});

const livingNames = async (cluster: Cluster, name: string): Promise<readonly string[]> =>
  (await cluster.status()).actors
    .filter(({ label, phase }) => label.includes(`"${name}-`) && phase !== 'dead')
    .map(({ label }) => label);

test.serial('a command runs on a node, and its output is there after its end', async (t) => {
  const { cluster } = t.context;
  const id = await cluster.jobs.submit({
    command: 'echo "$GREETING from $(pwd)"; echo "$PATCHBAY_JOB" >&2; exit 0',
    env: { GREETING: 'hello' },
    cwd: '/',
    metadata: { team: 'vision' },
  });
  const status = await cluster.jobs.wait(id);
  t.like(status, { id, phase: 'succeeded', node: 'node-0', exitCode: 0 });
  t.deepEqual(status.metadata, { team: 'vision' });
  t.true(status.submittedAt <= status.startedAt! && status.startedAt! <= status.endedAt!);
  const lines: string[] = [];
  for await (const { stream, text: line } of cluster.jobs.logs(id)) lines.push(`${stream} ${line}`);
  t.deepEqual(lines.sort(), [`stderr ${id}`, 'stdout hello from /']);
});

test.serial('ten thousand lines of a job that ends at once are all there', async (t) => {
  const { cluster } = t.context;
  const id = await cluster.jobs.submit({ command: 'seq 1 10000' });
  const all = (await printedBy(cluster, id)).trimEnd().split('\n');
  t.is(all.length, 10_000);
  t.is(all.at(-1), '10000');
});

test.serial('a failed command tells its exit code and its last words', async (t) => {
  const { cluster } = t.context;
  const id = await cluster.jobs.submit({ command: 'echo oh no >&2; exit 7' });
  const status = await cluster.jobs.wait(id);
  t.like(status, { phase: 'failed', exitCode: 7 });
  t.regex(status.note!, /ended with exit code 7; its last words:\n {2}oh no/);
});

test.serial(
  'an id is given once; the same job again is the same, another is refused',
  async (t) => {
    const { cluster } = t.context;
    const job: JobOptions = { id: 'nightly-1', command: 'echo once' };
    t.is<string, string>(await cluster.jobs.submit(job), 'nightly-1');
    t.is<string, string>(await cluster.jobs.submit(job), 'nightly-1');
    t.is((await cluster.jobs.wait('nightly-1')).phase, 'succeeded');
    t.is<string, string>(await cluster.jobs.submit(job), 'nightly-1');
    t.is(await printedBy(cluster, 'nightly-1'), 'once\n');
    await t.throwsAsync(cluster.jobs.submit({ ...job, command: 'echo twice' }), {
      code: 'E_NAME_TAKEN',
      message: /another job with the id nightly-1/,
    });
    await cluster.jobs.delete('nightly-1');
    await t.throwsAsync(cluster.jobs.status('nightly-1'), { code: 'E_JOB_UNKNOWN' });
    await t.throwsAsync(printedBy(cluster, 'nightly-1'), { code: 'E_JOB_UNKNOWN' });
  },
);

test.serial('what cannot run is told at once, or by the job', async (t) => {
  const { cluster } = t.context;
  const refused = async (job: JobOptions, code: string, message: RegExp): Promise<void> => {
    await t.throwsAsync(cluster.jobs.submit(job), { code, message });
  };
  await refused({ command: 'true', resources: { tpu: 1 } }, 'E_NO_ROOM', /needs 1 tpu, has 0/);
  await refused({ command: ' ' }, 'E_OPTION', /is empty/);
  await refused({ command: 'true', id: '../x' }, 'E_OPTION', /a job id is made of/);
  await refused({ command: 'true', cwd: 'here' }, 'E_OPTION', /absolute/);
  await refused({ command: 'true', env: { 'a b': '' } }, 'E_OPTION', /env a b/);
  await refused({ command: 'a\0b' }, 'E_OPTION', /zero byte/);
  await refused({ command: 'x'.repeat(200_000) }, 'E_OPTION', /131072 characters/);
  const id = await cluster.jobs.submit({ command: 'true', cwd: '/no/such/folder' });
  const { phase, note } = await cluster.jobs.wait(id);
  t.is(phase, 'failed');
  t.regex(note!, /cwd \/no\/such\/folder is not a folder on node node-0/);
});

test.serial(
  'a command that takes more memory than it was given ends, with all it started',
  async (t) => {
    const { cluster } = t.context;
    const grow =
      'console.log(process.pid); globalThis.a = Buffer.alloc(4e8, 1); setInterval(() => 0, 1e3)';
    const command = `${process.execPath} -e '${grow}' & wait`;
    const id = await cluster.jobs.submit({ command, resources: { memory: 0.2 } });
    const { phase, note } = await cluster.jobs.wait(id);
    t.is(phase, 'failed');
    t.regex(
      note!,
      /^its command was killed: it held 0\.\d\d GiB of memory and was given 0\.20 GiB/,
    );
    await allGone([Number(await printedBy(cluster, id))]);
    const modest = await cluster.jobs.submit({ command: 'exit 0', resources: { memory: 0.2 } });
    t.is((await cluster.jobs.wait(modest)).phase, 'succeeded');
  },
);

test.serial('a job outlives its client, and holds its resources until it ends', async (t) => {
  const { cluster, opened } = t.context;
  const { address, token } = opened.local;
  const client = await connect({ address, token });
  const id = await client.jobs.submit({ command: 'exec sleep 60', resources: { cpu: 4 } });
  await client.close();
  await until('it runs', async () => (await cluster.jobs.status(id)).phase === 'running');
  const waiting = await cluster.jobs.submit({ command: 'true', resources: { cpu: 1 } });
  const { phase, note } = await cluster.jobs.status(waiting);
  t.is(phase, 'pending');
  t.regex(note!, /waits for \d+ s: node node-0: needs 1 cpu, has 0/);
  await t.throwsAsync(cluster.jobs.delete(id), { code: 'E_JOB_STATE', message: /stop it first/ });
  t.like(await cluster.jobs.stop(id), { phase: 'stopped' });
  t.is((await cluster.jobs.wait(waiting)).phase, 'succeeded');
  const { nodes } = await cluster.status();
  for (const node of nodes) t.deepEqual(node.free, node.total);
});

test.serial('a stop ends a job that waits, and one that has ended stays as it was', async (t) => {
  const { cluster } = t.context;
  const first = await cluster.jobs.submit({ command: 'exec sleep 60', resources: { cpu: 4 } });
  const second = await cluster.jobs.submit({ command: 'true', resources: { cpu: 4 } });
  t.is((await cluster.jobs.stop(second)).phase, 'stopped');
  t.is((await cluster.jobs.stop(first)).phase, 'stopped');
  const third = await cluster.jobs.submit({ command: 'true' });
  await cluster.jobs.wait(third);
  t.is((await cluster.jobs.stop(third)).phase, 'succeeded');
  await t.throwsAsync(cluster.jobs.stop('nobody'), { code: 'E_JOB_UNKNOWN' });
});

test.serial('what a job has created ends with it, detached actors live on', async (t) => {
  const { cluster } = t.context;
  const id = await cluster.jobs.submit({ command: driverJob('good') });
  t.is((await cluster.jobs.wait(id)).phase, 'succeeded');
  await until('its own actor is dead', async () => {
    return (await livingNames(cluster, 'good')).join() === 'Worker "good-detached"';
  });
  t.deepEqual((await cluster.status()).groups, []);
  await (await cluster.actor<{ kill(): void }>('good-detached')).kill();
});

test.serial('SIGTERM first: all of the group have three seconds', async (t) => {
  const { cluster } = t.context;
  // The shell dies of the signal at once; the program that it started tidies up.
  const id = await cluster.jobs.submit({ command: `${driverJob('soft', 'stay')}; true` });
  await lineOf(cluster, id, /ready/);
  t.is((await cluster.jobs.stop(id)).phase, 'stopped');
  t.regex(await printedBy(cluster, id), /asked to end/);
  await (await cluster.actor<{ kill(): void }>('soft-detached')).kill();
});

test.serial('SIGKILL after three seconds, also for what the command has left behind', async (t) => {
  const { cluster } = t.context;
  const id = await cluster.jobs.submit({
    command: `sleep 60 & echo sleeper $!; ${driverJob('hard', 'stubborn')}; true`,
  });
  const sleeper = Number((await lineOf(cluster, id, /sleeper (\d+)/))[1]);
  const pid = Number((await lineOf(cluster, id, /ready (\d+)/))[1]);
  t.true(isAlive(sleeper) && isAlive(pid));
  t.is((await cluster.jobs.stop(id)).phase, 'stopped');
  await allGone([sleeper, pid]);
  await until('its own actor is dead', async () => (await livingNames(cluster, 'hard')).length < 2);
  await (await cluster.actor<{ kill(): void }>('hard-detached')).kill();
});

test.serial('a command that is killed takes along what it started', async (t) => {
  const { cluster } = t.context;
  const command = `${driverJob('killed', 'stay')} & echo shell $$; wait`;
  const id = await cluster.jobs.submit({ command });
  const pid = Number((await lineOf(cluster, id, /ready (\d+)/))[1]);
  const shell = Number((await lineOf(cluster, id, /shell (\d+)/))[1]);
  process.kill(shell, 'SIGKILL');
  const { phase, note } = await cluster.jobs.wait(id);
  t.is(phase, 'failed');
  t.regex(note!, /its command died of SIGKILL/);
  await allGone([pid]);
  await until('its actor is dead', async () => (await livingNames(cluster, 'killed')).length < 2);
  await (await cluster.actor<{ kill(): void }>('killed-detached')).kill();
});

test.serial('a driver that has left its group is cut off when the job ends', async (t) => {
  const { cluster } = t.context;
  const id = await cluster.jobs.submit({
    command: `setsid ${driverJob('escaped', 'stay')} & sleep 60`,
  });
  const pid = Number((await lineOf(cluster, id, /ready (\d+)/))[1]);
  await cluster.jobs.stop(id);
  await until('its actor is dead', async () => (await livingNames(cluster, 'escaped')).length < 2);
  t.deepEqual((await cluster.status()).groups, []);
  t.true(isAlive(pid));
  process.kill(pid, 'SIGKILL');
  await (await cluster.actor<{ kill(): void }>('escaped-detached')).kill();
});

test.serial('a job under the id of one that was deleted has an output of its own', async (t) => {
  const { cluster } = t.context;
  for (const word of ['first', 'second']) {
    await cluster.jobs.submit({ id: 'again', command: `echo ${word}` });
    await cluster.jobs.wait('again');
    t.is(await printedBy(cluster, 'again'), `${word}\n`);
    await cluster.jobs.delete('again');
  }
});

test.serial(
  'of more lines than a job may print at once the first are kept, and the rest is told',
  async (t) => {
    const { cluster } = t.context;
    const id = await cluster.jobs.submit({ command: 'seq 1 30000' });
    const all = (await printedBy(cluster, id)).trimEnd().split('\n');
    t.true(all.length >= 10_000 && all.length < 30_000, `${all.length}`);
    t.regex(all.at(-1)!, /lines dropped/);
  },
);
