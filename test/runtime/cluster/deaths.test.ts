import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { connect } from '../../../runtime/index.js';
import { commandOf, descendantsOf, isAlive } from '../../helpers/descendants.js';
import { allGone, nodeFolders, openCluster } from '../../helpers/processes.js';
import { tempFolder } from '../../helpers/temp-folder.js';
import { until } from '../../helpers/until.js';

type Actors = typeof import('../../fixtures/actors/probe.js');
const actors = new URL('../../fixtures/actors/probe.js', import.meta.url);

test.serial(
  'a host killed in mid-call: callers hear the signal, its resources return',
  async (t) => {
    await using opened = await openCluster();
    const lib = await opened.cluster.load<Actors>(actors);
    for (const Class of [lib.WideProbe, lib.ThreadProbe]) {
      const probe = await Class.create({ name: 'victim' });
      const pid = await probe.pid();
      const stalled = probe.stall('s');
      await probe.until('s began');
      process.kill(pid, 'SIGKILL');
      const expected = { code: 'E_ACTOR_DEAD', message: /"victim" on node .* died of SIGKILL/ };
      await t.throwsAsync(stalled, expected);
      await t.throwsAsync(probe.echo(1), expected);
      await t.throwsAsync(opened.cluster.actor('victim'), { code: 'E_NAME_UNKNOWN' });
    }
    const { nodes } = await opened.cluster.status();
    for (const node of nodes) t.deepEqual(node.free, node.total);
  },
);

test.serial(
  'a host that is killed takes along what it started, also what holds its pipes',
  async (t) => {
    await using opened = await openCluster({ workers: 1 });
    const lib = await opened.cluster.load<Actors>(actors);
    const probe = await lib.Probe.create();
    const [host, child] = [await probe.pid(), await probe.spawnSleeper()];
    const orphan = await probe.spawnSleeper(true);
    t.true(isAlive(child));
    process.kill(host, 'SIGKILL');
    await t.throwsAsync(probe.pid(), { code: 'E_ACTOR_DEAD', message: /SIGKILL/ });
    await allGone([child]);
    // One that left the group is on its own; it must not keep the death secret.
    process.kill(orphan, 'SIGKILL');
  },
);

test.serial(
  'an agent that is killed takes its hosts and folder along, and callers hear of it',
  async (t) => {
    await using opened = await openCluster({ workers: 2, resources: { cpu: 1 } });
    const lib = await opened.cluster.load<Actors>(actors);
    const probes = await Promise.all([lib.Probe.create(), lib.Probe.create()]);
    const children = await Promise.all(probes.map((probe) => probe.spawnSleeper()));
    opened.pids();
    // The first holds its main thread, and cannot notice anything.
    const node = await probes[0]!.node();
    const agent = opened.agents[Number(node.slice(-1))]!;
    const blocked = probes[0]!.blockUntil('/nonexistent');
    const hosts = descendantsOf(agent);
    await probes[1]!.pid();
    process.kill(agent, 'SIGKILL');
    await t.throwsAsync(blocked, { code: 'E_ACTOR_DEAD', message: /its node node-\d was lost/ });
    await allGone([...hosts, children[0]!]);
    await until('the folder of the dead node is removed', () => nodeFolders().length === 1);
    t.is(typeof (await probes[1]!.pid()), 'number');
    t.is((await opened.cluster.status()).nodes.length, 1);
    t.true(isAlive(children[1]!));
  },
);

test.serial(
  'a host in a busy loop dies with its agent even if the guard is gone too',
  async (t) => {
    await using opened = await openCluster({ workers: 1 });
    const lib = await opened.cluster.load<Actors>(actors);
    const probe = await lib.Probe.create();
    const host = await probe.pid();
    const [agent] = opened.agents;
    const blocked = probe.blockUntil('/nonexistent');
    const guard = descendantsOf(agent!).find((pid) => commandOf(pid).includes('patchbay-guard'));
    process.kill(guard!, 'SIGKILL');
    process.kill(agent!, 'SIGKILL');
    await t.throwsAsync(blocked, { code: 'E_ACTOR_DEAD' });
    await allGone([host]);
    for (const name of nodeFolders()) rmSync(join(tmpdir(), name), { recursive: true });
  },
);

test.serial('a stopped host is given up, and its actor’s place is free again', async (t) => {
  await using opened = await openCluster({ workers: 1, resources: { cpu: 1 } });
  const lib = await opened.cluster.load<Actors>(actors);
  const probe = await lib.Probe.create();
  const pid = await probe.pid();
  const waiting = lib.Probe.create();
  process.kill(pid, 'SIGSTOP');
  await t.throwsAsync(probe.echo(1), { code: 'E_ACTOR_DEAD', message: /no sign of life/ });
  t.not(await (await waiting).pid(), pid);
});

test.serial('a program killed by SIGKILL leaves none of its processes behind', async (t) => {
  const script = fileURLToPath(new URL('../../fixtures/actors/driver.js', import.meta.url));
  const driver = fork(script, { stdio: 'ignore' });
  const exited = once(driver, 'exit');
  const [pids] = (await once(driver, 'message')) as [number[]];
  t.true(pids.length >= 7, `${pids.length}`);
  driver.kill('SIGKILL');
  await exited;
  await allGone(pids);
  await until('the folders are removed', () => nodeFolders().length === 0);
});

test.serial(
  'a driver that leaves ends its actors and groups; what others made stays',
  async (t) => {
    await using opened = await openCluster({ resources: { cpu: 2 } });
    const lib = await opened.cluster.load<Actors>(actors);
    const mine = await lib.Probe.create();
    const { address, token } = opened.local;
    const other = await connect({ address, token });
    const theirs = await (await other.load<Actors>(actors)).Probe.create();
    await other.group([{ cpu: 1 }, { cpu: 1 }]);
    const pid = await theirs.pid();
    t.is(await mine.askEcho(theirs, 1), 1);
    await other.close();
    await allGone([pid]);
    const free = async (): Promise<number> =>
      (await opened.cluster.status()).nodes.reduce((sum, node) => sum + node.free['cpu']!, 0);
    await until('resources return', async () => (await free()) === 3);
    await t.throwsAsync(mine.askEcho(theirs, 2), { code: 'E_ACTOR_DEAD' });
    t.is(await mine.echo('alive'), 'alive');
  },
);

test.serial('killing runs the dispose hook, and frees name and place', async (t) => {
  await using opened = await openCluster({ workers: 1, resources: { cpu: 1 } });
  const lib = await opened.cluster.load<Actors>(actors);
  for (const Class of [lib.Probe, lib.ThreadProbe]) {
    const probe = await Class.create({ name: 'one' });
    const file = join(tempFolder('disposed'), 'file');
    await probe.disposeTo(file);
    const pid = await probe.pid();
    const waiting = probe.stall('s');
    await Promise.all([
      t.throwsAsync(waiting, { code: 'E_ACTOR_DEAD', message: /was stopped/ }),
      probe.kill(),
    ]);
    t.true(existsSync(file));
    t.false(isAlive(pid));
    await probe.kill();
  }
});

test.serial('a creator that gives up while the cluster is full has no actor later', async (t) => {
  await using opened = await openCluster({ workers: 1, resources: { cpu: 1 } });
  const lib = await opened.cluster.load<Actors>(actors);
  const first = await lib.Probe.create();
  const controller = new AbortController();
  const waiting = lib.Probe.create({ signal: controller.signal });
  await until('it waits', async () => (await opened.cluster.status()).actors.length === 2);
  controller.abort();
  await t.throwsAsync(waiting, { code: 'E_ABORTED' });
  await first.kill();
  const { nodes, actors: all } = await opened.cluster.status();
  t.deepEqual(nodes[0]?.free, nodes[0]?.total);
  t.deepEqual(
    all.map(({ phase }) => phase),
    // The one that waited was never anywhere, and is not remembered.
    ['dead'],
  );
});

test.serial('what no node can hold is refused at once, by name', async (t) => {
  await using opened = await openCluster({ workers: 2, resources: { cpu: 1 } });
  const lib = await opened.cluster.load<Actors>(actors);
  await t.throwsAsync(lib.Probe.create({ resources: { cpu: 2 } }), {
    code: 'E_NO_ROOM',
    message: /node node-\d: needs 2 cpu, has 1; node node-\d: needs 2 cpu, has 1/,
  });
  await t.throwsAsync(opened.cluster.group([{ cpu: 1 }, { cpu: 1 }], { strategy: 'strict-pack' }), {
    code: 'E_NO_ROOM',
  });
  await using group = await opened.cluster.group([{ cpu: 1 }, { cpu: 1 }], {
    strategy: 'strict-spread',
  });
  const probes = await Promise.all(
    [0, 1].map((index) => lib.Probe.create({ bundle: { group, index } })),
  );
  const nodes = await Promise.all(probes.map((probe) => probe.node()));
  t.deepEqual([...nodes].sort(), ['node-0', 'node-1']);
});
