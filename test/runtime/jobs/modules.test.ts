/** Jobs that are functions of modules. */

import anyTest, { type TestFn } from 'ava';
import type { Cluster, JobStatus } from '../../../runtime/index.js';
import { lineOf, printedBy } from '../../helpers/jobs.js';
import { openCluster, type TestCluster } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';

interface Context {
  readonly opened: TestCluster;
  readonly cluster: Cluster;
}

const test = anyTest as TestFn<Context>;
const module = new URL('../../fixtures/actors/job.js', import.meta.url);

test.serial.before(async (t) => {
  const opened = await openCluster({ workers: 1, logToDriver: false });
  t.context = { opened, cluster: opened.cluster };
});

test.serial.after.always(async (t) => {
  await t.context.opened[Symbol.asyncDispose]();
});

const ended = async (
  cluster: Cluster,
  name: string,
  args: readonly unknown[] = [],
): Promise<JobStatus> =>
  cluster.jobs.wait(await cluster.jobs.submit({ module, export: name, args }));

test.serial('a function runs with a cluster at hand, and its value is the result', async (t) => {
  const { cluster } = t.context;
  const id = await cluster.jobs.submit({ module, args: ['ada', 4] });
  const status = await cluster.jobs.wait(id);
  t.like(status, { phase: 'succeeded', node: 'node-0', entrypoint: 'job.js main("ada",4)' });
  t.deepEqual(status.result, { name: 'ada', sum: 14 });
  const [listed] = await cluster.jobs.list();
  t.is(listed?.id, id);
  t.false('result' in listed!);
  const text = await printedBy(cluster, id);
  t.regex(text, /^hello ada$/m);
  // What its actors print is told as to a driver.
  t.regex(text, /^\(Worker "worker of ada", node-0\) from the worker$/m);
  await until('its actor is dead', async () => {
    const { actors, nodes } = await cluster.status();
    return (
      actors.every(({ phase }) => phase === 'dead') &&
      nodes[0]?.free['cpu'] === nodes[0]?.total['cpu']
    );
  });
});

test.serial(
  'a function that throws fails its job, and so does one that takes its process down',
  async (t) => {
    const { cluster } = t.context;
    t.like(await ended(cluster, 'fail'), { phase: 'failed', note: 'TypeError: no good' });
    const dead = await ended(cluster, 'die');
    t.is(dead.phase, 'failed');
    t.regex(dead.note!, /its process ended with exit code 9/);
    const large = await ended(cluster, 'large');
    t.is(large.phase, 'failed');
    t.regex(large.note!, /E_ENCODE: what it returned has 300002 characters/);
  },
);

test.serial('an export that is not there is refused before anything is submitted', async (t) => {
  const { cluster } = t.context;
  await t.throwsAsync(cluster.jobs.submit({ module, export: 'nothing' }), {
    code: 'E_EXPORT',
    message: /job.js exports no nothing; it has: .*main/,
  });
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  await t.throwsAsync(cluster.jobs.submit({ module, args: cyclic }), { code: 'E_OPTION' });
});

for (const [what, tidyMs, hasTidied] of [
  ['has time to tidy up', 100, true],
  ['that takes too long is killed', 60_000, false],
] as const) {
  test.serial(`a function that is stopped hears it by its signal, and ${what}`, async (t) => {
    const { cluster } = t.context;
    const args = [`lingerer ${hasTidied}`, tidyMs];
    const id = await cluster.jobs.submit({ module, export: 'linger', args });
    await lineOf(cluster, id, /lingers/);
    t.is((await cluster.jobs.stop(id)).phase, 'stopped');
    t.is((await printedBy(cluster, id)).includes('tidied up'), hasTidied);
    await until('what it created is gone', async () => {
      const { actors, groups } = await cluster.status();
      return groups.length === 0 && actors.every(({ phase }) => phase === 'dead');
    });
  });
}

test.serial(
  'a function that holds its thread, or a module that never loads, is stopped as well',
  async (t) => {
    const { cluster } = t.context;
    const spinning = await cluster.jobs.submit({ module, export: 'spin' });
    await lineOf(cluster, spinning, /spins/);
    const loading = await cluster.jobs.submit({
      module: new URL('../../fixtures/actors/never-loads.js', import.meta.url),
    });
    await lineOf(cluster, loading, /loads for ever/);
    const ended = await Promise.all([cluster.jobs.stop(spinning), cluster.jobs.stop(loading)]);
    t.deepEqual(
      ended.map(({ phase }) => phase),
      ['stopped', 'stopped'],
    );
  },
);
