/** `patchbay job` as a user runs it. */

import { fileURLToPath } from 'node:url';
import anyTest, { type TestFn } from 'ava';
import type { JobStatus } from '../../../runtime/index.js';
import { Terminal } from '../../helpers/command.js';

const test = anyTest as TestFn<{ readonly terminal: Terminal }>;
const module = fileURLToPath(new URL('../../fixtures/actors/job.js', import.meta.url));

test.serial.before(async (t) => {
  const terminal = new Terminal();
  const head = terminal.start('start', '--head', '--port', '0', '--cpus', '2', '--name', 'n0');
  const [, address] = await head.printed(/Head at (ws:\S+),/);
  await head.printed(/Node n0 joined/);
  terminal.env['PATCHBAY_ADDRESS'] = address!;
  t.context = { terminal };
});

test.serial.after.always(async (t) => {
  await t.context.terminal[Symbol.asyncDispose]();
});

test.serial('submit follows the output and ends as the job does', async (t) => {
  const { terminal } = t.context;
  const line = 'echo "$A and $B"; echo oops >&2; exit 0';
  const options = ['--id', 'first', '--env', 'A=1', '--env', 'B=x y', '--cwd', '/'];
  const good = await terminal.run('job', 'submit', ...options, '--', line);
  t.deepEqual([good.code, good.stdout], [0, '1 and x y\n']);
  t.regex(good.stderr, /^Job first submitted; .*\noops\nJob first succeeded\n$/);
  const bad = await terminal.run(
    'job',
    'submit',
    '--',
    'sh',
    '-c',
    'echo "$0 $1"; exit 7',
    'a',
    'b c',
  );
  t.deepEqual([bad.code, bad.stdout], [7, 'a b c\n']);
  t.regex(bad.stderr, /failed: its command ended with exit code 7/);
  const far = await terminal.run('job', 'submit', '--label-selector', '{"zone": "eu"}', 'true');
  t.is(far.code, 1);
  t.regex(far.stderr, /E_NO_ROOM: .*label zone is not set, wanted eu/);
});

test.serial('submit a function: its result is printed', async (t) => {
  const { terminal } = t.context;
  const submit = ['job', 'submit', '--module', module];
  const { code, stdout } = await terminal.run(...submit, '--args', '["bob", 3]');
  t.is(code, 0);
  t.regex(stdout, /^hello bob\n/);
  t.true(stdout.endsWith('{"name":"bob","sum":5}\n'), stdout);
  const failed = await terminal.run(...submit, '--export', 'fail');
  t.is(failed.code, 1);
  t.regex(failed.stderr, /failed: TypeError: no good/);
});

test.serial('wrong use is told in one line', async (t) => {
  const { terminal } = t.context;
  const told = async (message: RegExp, ...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await terminal.run('job', ...args);
    t.is(code, 1, args.join(' '));
    t.regex(stderr, message);
  };
  await told(/E_OPTION: nothing to run/, 'submit');
  await told(/E_OPTION: give a command or --module/, 'submit', '--module', module, '--', 'true');
  await told(/E_OPTION: --env X is not/, 'submit', '--env', 'X', '--', 'true');
  await told(/E_OPTION: --resources must be/, 'submit', '--resources', '[1]', '--', 'true');
  await told(/E_OPTION: --args must be a list/, 'submit', '--module', module, '--args', '{}');
  await told(/E_BUNDLE: /, 'submit', '--module', 'nowhere.ts');
  await told(/E_NO_ROOM: .*needs 9 cpu, has 2/, 'submit', '--resources', '{"cpu":9}', '--', 'true');
  await told(/E_JOB_UNKNOWN: no job who/, 'status', 'who');
  await told(/E_JOB_UNKNOWN: no job who/, 'logs', 'who');
});

test.serial('whoever leaves while it runs leaves it running', async (t) => {
  const { terminal } = t.context;
  const submitting = terminal.start(
    'job',
    'submit',
    '--id',
    'long',
    '--',
    'echo begun; exec sleep 60',
  );
  await submitting.printed(/begun/);
  submitting.kill('SIGINT');
  t.is((await submitting.outcome).code, 0);
  const status = await terminal.run('job', 'status', 'long');
  t.regex(status.stdout, /^job +long\nphase +running\nentrypoint +echo begun; exec sleep 60\n/);
  t.regex((await terminal.run('status')).stdout, /^long +running +n0$/m);
  const following = terminal.start('job', 'logs', 'long', '--follow');
  await following.printed(/begun/);
  const early = await terminal.run('job', 'delete', 'long');
  t.regex(early.stderr, /E_JOB_STATE: .*stop it first/);
  t.is((await terminal.run('job', 'stop', 'long')).stdout, 'Job long stopped\n');
  t.like(await following.outcome, { code: 0, stdout: 'begun\n' });
  t.is((await terminal.run('logs', 'long')).stdout, 'begun\n');
  t.is((await terminal.run('job', 'delete', 'long')).stdout, 'Job long is forgotten\n');
});

test.serial('lists: as a table, as JSON, and by phase', async (t) => {
  const { terminal } = t.context;
  const { stdout: id } = await terminal.run('job', 'submit', '--no-wait', '--', 'exit 3');
  t.regex(id, /^job-\w{12}\n$/);
  t.is((await terminal.run('job', 'logs', id.trim(), '--follow')).code, 0);
  const table = await terminal.run('job', 'list');
  t.regex(table.stdout, /^id +phase +node +submitted +took +entry point/);
  t.regex(table.stdout, new RegExp(`${id.trim()} +failed +n0 +\\S+ +\\d+\\.\\d s +exit 3`));
  const { stdout } = await terminal.run('list', 'jobs', '--phase', 'failed', '--json');
  const jobs = JSON.parse(stdout) as readonly JobStatus[];
  t.is(jobs[0]?.id as string, id.trim());
  t.true(jobs.every(({ phase }) => phase === 'failed'));
  const wrong = await terminal.run('list', 'jobs', '--phase', 'dead');
  t.regex(
    wrong.stderr,
    /E_OPTION: --phase dead: jobs have the phases: pending, running, succeeded/,
  );
});
