/** What happens to jobs when a node, or what runs it, dies. */

import test from 'ava';
import { isAlive } from '../../helpers/descendants.js';
import { lineOf, printedBy } from '../../helpers/jobs.js';
import { allGone, openCluster } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';

const module = new URL('../../fixtures/actors/job.js', import.meta.url);

test.serial(
  'an agent that is killed: its jobs fail, and the guard ends their processes',
  async (t) => {
    await using opened = await openCluster({ workers: 1, logToDriver: false });
    const { cluster } = opened;
    const id = await cluster.jobs.submit({ command: 'sleep 60 & echo sleeper $!; wait' });
    const sleeper = Number((await lineOf(cluster, id, /sleeper (\d+)/))[1]);
    const lingering = await cluster.jobs.submit({ module, export: 'linger', args: ['doomed', 0] });
    await lineOf(cluster, lingering, /lingers/);
    t.true(isAlive(sleeper));
    process.kill(opened.agents[0]!, 'SIGKILL');
    for (const job of [id, lingering]) {
      const { phase, note, node } = await cluster.jobs.wait(job);
      t.is(phase, 'failed');
      t.is(node, 'node-0');
      t.regex(note!, /its node node-0 was lost/);
    }
    await allGone([sleeper]);
    t.regex(await printedBy(cluster, id), /sleeper/);
    await until('what the function created is gone', async () => {
      const { actors, groups } = await cluster.status();
      return groups.length === 0 && actors.every(({ phase }) => phase === 'dead');
    });
  },
);

test.serial('a job that waits fails when the only node that could hold it goes', async (t) => {
  await using opened = await openCluster({ workers: 1, logToDriver: false });
  const { cluster } = opened;
  const resources = { cpu: 4 };
  await cluster.jobs.submit({ command: 'exec sleep 60', resources });
  const waiting = await cluster.jobs.submit({ command: 'true', resources });
  process.kill(opened.agents[0]!, 'SIGKILL');
  const { phase, note } = await cluster.jobs.wait(waiting);
  t.is(phase, 'failed');
  t.regex(note!, /no node can hold the job: the cluster has no node yet/);
});

test.serial('a cluster that ends, ends its jobs', async (t) => {
  let sleeper = 0;
  {
    await using opened = await openCluster({ workers: 1, logToDriver: false });
    const id = await opened.cluster.jobs.submit({ command: 'sleep 60 & echo sleeper $!; wait' });
    sleeper = Number((await lineOf(opened.cluster, id, /sleeper (\d+)/))[1]);
    t.true(isAlive(sleeper));
  }
  await allGone([sleeper]);
});

test.serial('a head that is killed takes its jobs along', async (t) => {
  const opened = await openCluster({ workers: 1, logToDriver: false });
  const id = await opened.cluster.jobs.submit({ command: 'sleep 60 & echo sleeper $!; wait' });
  const sleeper = Number((await lineOf(opened.cluster, id, /sleeper (\d+)/))[1]);
  process.kill(opened.local.pids[0]!, 'SIGKILL');
  await allGone([sleeper]);
  await opened[Symbol.asyncDispose]();
  t.false(isAlive(sleeper));
});
