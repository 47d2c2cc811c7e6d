import test from 'ava';
import { ActorLostError, startCluster } from '../../../runtime/index.js';

const actors = new URL('../../fixtures/actors/counter.js', import.meta.url);
type Actors = typeof import('../../fixtures/actors/counter.js');

test.serial('the death of an actor is told without a call, its restarts are not', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 2 } });
  const { cluster } = local;
  const lib = await cluster.load<Actors>(actors);
  const counter = await lib.Counter.create({ maxRestarts: 1 });
  let told: Error | undefined;
  const death = cluster.untilDead(counter).then((cause) => {
    told = cause;
  });
  const restarted = await t.throwsAsync(counter.die(3), { instanceOf: ActorLostError });
  t.true(restarted.isRestarted);
  t.is(await counter.add(1), 1);
  t.is(told, undefined);
  process.kill(await counter.pid(), 'SIGKILL');
  await death;
  t.regex(told?.message ?? '', /died of SIGKILL/);
  t.regex((await cluster.untilDead(counter)).message, /died of SIGKILL/);
  const gone = await t.throwsAsync(counter.add(1), { instanceOf: ActorLostError });
  t.false(gone.isRestarted);
  // A kill is a death like others, and so is one that happened before anybody asked.
  const other = await lib.Counter.create();
  await other.kill();
  t.regex((await cluster.untilDead(other)).message, /was stopped/);
});

test.serial('waiting for a death can be given up, and ends with the cluster', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 2 } });
  const { cluster } = local;
  const lib = await cluster.load<Actors>(actors);
  const counter = await lib.Counter.create();
  const stop = new AbortController();
  const given = cluster.untilDead(counter, stop.signal);
  stop.abort();
  await t.throwsAsync(given, { code: 'E_ABORTED' });
  t.is(await counter.add(1), 1);
  const left = cluster.untilDead(counter);
  process.kill(local.pids[0]!, 'SIGKILL');
  await t.throwsAsync(left, { code: 'E_PEER_LOST' });
});
