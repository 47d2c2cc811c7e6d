import test from 'ava';
import { connect, startCluster } from '../../../runtime/index.js';
import { isAlive } from '../../helpers/descendants.js';
import { until } from '../../helpers/until.js';

const actors = new URL('../../fixtures/actors/counter.js', import.meta.url);
type Actors = typeof import('../../fixtures/actors/counter.js');

test.serial('a restarted actor is reached by the handle of before', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 2 } });
  const lib = await local.cluster.load<Actors>(actors);
  for (const Class of [lib.Counter, lib.ThreadCounter]) {
    const counter = await Class.create({ args: [10], maxRestarts: 1 });
    t.is(await counter.add(1), 11);
    const pid = await counter.pid();
    await t.throwsAsync(counter.die(1), {
      code: 'E_ACTOR_DEAD',
      message: /was restarted while die was under way/,
    });
    // Its constructor ran again; what it had counted is gone.
    t.is(await counter.add(1), 11);
    t.not(await counter.pid(), pid);
    await t.throwsAsync(counter.die(1), { code: 'E_ACTOR_DEAD', message: /exit code 1/ });
    await t.throwsAsync(counter.add(1), { code: 'E_ACTOR_DEAD' });
  }
});

test.serial('with task retries a call that was under way is made again', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 1 } });
  const lib = await local.cluster.load<Actors>(actors);
  const counter = await lib.Counter.create({ maxRestarts: 2, maxTaskRetries: 1 });
  const pid = await counter.pid();
  const slow = counter.waitIn(pid, 60_000);
  process.kill(pid, 'SIGKILL');
  t.not(await slow, pid);
});

test.serial('a detached actor outlives its driver; getIfExists finds it', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 1 } });
  const options = { name: 'service', lifetime: 'detached', getIfExists: true } as const;
  const other = await connect({ address: local.address, token: local.token });
  const theirs = await (await other.load<Actors>(actors)).Counter.create(options);
  await theirs.add(5);
  await other.close();
  const lib = await local.cluster.load<Actors>(actors);
  const ours = await lib.Counter.create(options);
  t.is(await ours.value(), 5);
  await ours.kill();
  await t.throwsAsync(local.cluster.actor('service'), { code: 'E_NAME_UNKNOWN' });
  await t.throwsAsync(lib.Counter.create({ lifetime: 'detached' }), { code: 'E_OPTION' });
  await t.throwsAsync(lib.Counter.create({ maxRestarts: -2 }), { code: 'E_OPTION' });
});

test.serial('a full mailbox refuses calls and goes on with those it has', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 1 } });
  const lib = await local.cluster.load<Actors>(actors);
  const counter = await lib.Counter.create({ maxPending: 2 });
  const pid = await counter.pid();
  const calls = Array.from({ length: 5 }, () => counter.waitIn(pid, 100));
  const results = await Promise.allSettled(calls);
  t.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
  );
  const [refused] = results.filter((result) => result.status === 'rejected');
  t.is((refused!.reason as { code: string }).code, 'E_MAILBOX_FULL');
});

test.serial('a restarted actor goes on from its last snapshot', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 2 } });
  const lib = await local.cluster.load<Actors>(actors);
  for (const Class of [lib.Notebook, lib.ThreadNotebook]) {
    const notebook = await Class.create({ maxRestarts: -1 });
    const kept = async (): Promise<void> => {
      const before = await notebook.snapshots();
      await until('a snapshot was taken', async () => (await notebook.snapshots()) > before);
    };
    await notebook.write('one');
    await notebook.tell.write('two');
    await kept();
    await t.throwsAsync(notebook.die(), { message: /was restarted/ });
    t.deepEqual(await notebook.lines(), ['one', 'two']);
    // A snapshot that fails leaves the last good one.
    await notebook.write('secret');
    await kept();
    await t.throwsAsync(notebook.die(), { message: /was restarted/ });
    t.deepEqual(await notebook.lines(), ['one', 'two']);
    await notebook.write('torn');
    await kept();
    await t.throwsAsync(notebook.die(), {
      code: 'E_ACTOR_START',
      message: /restore\(\) fails: cannot read it/,
    });
  }
  await t.throwsAsync(lib.HalfNotebook.create({ maxRestarts: 1 }), {
    code: 'E_EXPORT',
    message: /HalfNotebook has only one of snapshot\(\) and restore/,
  });
});

test.serial('an actor that exits answers the call under way, and is not restarted', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 2 } });
  const lib = await local.cluster.load<Actors>(actors);
  for (const Class of [lib.Notebook, lib.ThreadNotebook]) {
    const notebook = await Class.create({ maxRestarts: 3, name: 'n' });
    const [farewell, late] = await Promise.allSettled([notebook.leave('bye'), notebook.lines()]);
    t.like(farewell, { value: 'bye' });
    t.like(late, { reason: { code: 'E_ACTOR_DEAD' } });
    await t.throwsAsync(notebook.lines(), { code: 'E_ACTOR_DEAD' });
    await t.throwsAsync(local.cluster.actor('n'), { code: 'E_NAME_UNKNOWN' });
  }
});

test.serial('what lives on a node that is stopped in peace goes on elsewhere', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  const { cluster } = local;
  const lib = await cluster.load<Actors>(actors);
  const counter = await lib.Counter.create({ maxRestarts: -1, maxTaskRetries: 1, resources: {} });
  const node = await counter.node();
  const schedulingStrategy = { node };
  const busy = await lib.Counter.create({ schedulingStrategy });
  const job = { command: 'echo "$PATCHBAY_JOB"', resources: { cpu: 1 } };
  const other = await lib.Counter.create();
  const id = await cluster.jobs.submit(job);
  const agent = local.pids[1 + Number(node.slice(-1))]!;
  process.kill(agent, 'SIGTERM');
  await until('the node has stopped', () => !isAlive(agent));
  t.not(await counter.node(), node);
  await t.throwsAsync(busy.value(), { code: 'E_ACTOR_DEAD', message: /was lost/ });
  t.is((await cluster.jobs.status(id)).phase, 'pending');
  await other.kill();
  t.is((await cluster.jobs.wait(id)).phase, 'succeeded');
});
