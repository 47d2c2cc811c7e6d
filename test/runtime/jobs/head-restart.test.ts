/** Jobs while their head is killed and started again. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { lineOf } from '../../helpers/jobs.js';
import { RestartingCluster } from '../../helpers/restarting-cluster.js';
import { until } from '../../helpers/until.js';

const driver = fileURLToPath(new URL('../../fixtures/job-driver.js', import.meta.url));
const module = new URL('../../fixtures/actors/job.js', import.meta.url);

test.serial(
  'a job does not notice that its head was away, and ends with all it created',
  async (t) => {
    await using opened = await RestartingCluster.start([4]);
    const { terminal } = opened;
    terminal.env['PATCHBAY_ADDRESS'] = opened.url;
    const cluster = await opened.connect();
    const command = `${process.execPath} ${driver} away stay`;
    const id = await cluster.jobs.submit({ command });
    await lineOf(cluster, id, /ready/);
    const lingering = await cluster.jobs.submit({ module, export: 'linger', args: ['far', 0] });
    await lineOf(cluster, lingering, /lingers/);
    const gate = join(terminal.folder, 'gate');
    const short = `echo begun; until [ -f ${gate} ]; do sleep 0.05; done; exit 3`;
    const submitting = terminal.start('job', 'submit', '--id', 'short', '--', short);
    await submitting.printed(/begun/);
    const waiting = cluster.jobs.wait('short');

    await opened.killHead();
    // It ends while there is nobody to tell.
    writeFileSync(gate, '');
    await opened.startHead();

    t.like(await waiting, { phase: 'failed', exitCode: 3 });
    const { code, stderr } = await submitting.outcome;
    t.is(code, 3, stderr);
    t.regex(stderr, /The head is away/);
    for (const job of [id, lingering]) t.is((await cluster.jobs.status(job)).phase, 'running');
    for (const job of [id, lingering]) t.is((await cluster.jobs.stop(job)).phase, 'stopped');
    await until('only the detached actor is left', async () => {
      const { actors, groups } = await cluster.status();
      const living = actors.filter(({ phase }) => phase !== 'dead').map(({ label }) => label);
      return groups.length === 0 && living.join() === 'Worker "away-detached"';
    });
  },
);
