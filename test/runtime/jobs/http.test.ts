/** Jobs over plain HTTP: what a program without this library sees. */

import { connect as connectSocket } from 'node:net';
import anyTest, { type TestFn } from 'ava';
import type { JobStatus } from '../../../runtime/index.js';
import { openCluster, type TestCluster } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';

interface Context {
  readonly opened: TestCluster;
  readonly base: string;
}

const test = anyTest as TestFn<Context>;

test.serial.before(async (t) => {
  const opened = await openCluster({ workers: 1, logToDriver: false });
  t.context = { opened, base: opened.local.address.replace('ws:', 'http:') };
});

test.serial.after.always(async (t) => {
  await t.context.opened[Symbol.asyncDispose]();
});

function ask(
  { base, opened }: Context,
  method: string,
  path: string,
  options: { body?: unknown; headers?: Readonly<Record<string, string>> } = {},
): Promise<Response> {
  const { body, headers } = options;
  return fetch(`${base}${path}`, {
    method,
    headers: { authorization: `Bearer ${opened.local.token}`, ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

async function json<Value>(response: Response): Promise<Value> {
  return (await response.json()) as Value;
}

const over = async (context: Context, id: string): Promise<JobStatus> => {
  let status: JobStatus | undefined;
  await until('the job has ended', async () => {
    status = await json<JobStatus>(await ask(context, 'GET', `/api/jobs/${id}`));
    return status.endedAt !== undefined;
  });
  return status!;
};

test.serial('submit, look, read, list and delete', async (t) => {
  const { context } = t;
  const body = {
    id: 'web-1',
    command: 'echo "$X"; echo two',
    env: { X: 'one' },
    metadata: { a: 'b' },
  };
  const submitted = await ask(context, 'POST', '/api/jobs', { body });
  t.is(submitted.status, 201);
  t.deepEqual(await json(submitted), { id: 'web-1' });
  t.like(await over(context, 'web-1'), { phase: 'succeeded', exitCode: 0, metadata: { a: 'b' } });
  const logs = await ask(context, 'GET', '/api/jobs/web-1/logs');
  t.is(logs.headers.get('content-type'), 'text/plain; charset=utf-8');
  t.is(await logs.text(), 'one\ntwo\n');
  t.is(await (await ask(context, 'GET', '/api/jobs/web-1/logs?tail=1')).text(), 'two\n');
  const { jobs } = await json<{ jobs: JobStatus[] }>(await ask(context, 'GET', '/api/jobs'));
  t.deepEqual(
    jobs.map(({ id }) => id as string),
    ['web-1'],
  );
  const deleted = await ask(context, 'DELETE', '/api/jobs/web-1');
  t.deepEqual([deleted.status, await json(deleted)], [200, { deleted: 'web-1' }]);
  t.is((await ask(context, 'GET', '/api/jobs/web-1')).status, 404);
  t.is((await ask(context, 'GET', '/api/jobs/web-1/logs')).status, 404);
});

test.serial('logs are followed while the job runs, and end with it', async (t) => {
  const { context } = t;
  const command = 'echo begun; exec sleep 60';
  await ask(context, 'POST', '/api/jobs', { body: { id: 'followed', command } });
  const response = await ask(context, 'GET', '/api/jobs/followed/logs?follow=1');
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of response.body!) {
    text += decoder.decode(piece as Uint8Array, { stream: true });
    if (text !== 'begun\n') continue;
    const stopped = await ask(context, 'POST', '/api/jobs/followed/stop');
    t.like(await json<JobStatus>(stopped), { phase: 'stopped' });
  }
  t.is(text, 'begun\n');
});

test.serial('errors have a status, a code and a text', async (t) => {
  const { context } = t;
  const refused = async (
    status: number,
    code: string,
    message: RegExp,
    ...request: Parameters<typeof ask> extends [unknown, ...infer Rest] ? Rest : never
  ): Promise<void> => {
    const response = await ask(context, ...request);
    const { error } = await json<{ error: { code: string; message: string } }>(response);
    t.deepEqual([response.status, error.code], [status, code], request.join(' '));
    t.regex(error.message, message);
  };
  const post = (body: unknown): ['POST', string, { body: unknown }] => [
    'POST',
    '/api/jobs',
    { body },
  ];
  await refused(400, 'E_OPTION', /not JSON/, ...post('{'));
  await refused(400, 'E_OPTION', /command/, ...post({}));
  await refused(400, 'E_OPTION', /entry/, ...post({ command: 'true', entry: 1 }));
  await refused(400, 'E_OPTION', /cpu/, ...post({ command: 'true', resources: { cpu: -1 } }));
  await refused(400, 'E_OPTION', /job id/, ...post({ command: 'true', id: 'a/b' }));
  await refused(
    422,
    'E_NO_ROOM',
    /needs 99 cpu, has 4/,
    ...post({ command: 'true', resources: { cpu: 99 } }),
  );
  const where = (zone: string) => post({ command: 'true', labelSelector: { zone } });
  await refused(422, 'E_NO_ROOM', /label zone is not set, wanted eu/, ...where('eu'));
  await refused(400, 'E_OPTION', /labelSelector zone: \(eu is none of/, ...where('(eu'));
  await refused(413, 'E_OPTION', /longer than/, ...post({ command: 'x'.repeat(2_000_000) }));
  await refused(404, 'E_JOB_UNKNOWN', /no job who/, 'GET', '/api/jobs/who');
  await refused(404, 'E_JOB_UNKNOWN', /no job who/, 'POST', '/api/jobs/who/stop');
  await refused(400, 'E_OPTION', /tail x/, 'GET', '/api/jobs/who/logs?tail=x');
  await refused(404, 'E_PROTOCOL', /no such path/, 'GET', '/api/jobs/who/what');
  await refused(404, 'E_PROTOCOL', /no such path/, 'GET', '/api/jobs/who/logs/x');
  await refused(404, 'E_JOB_UNKNOWN', /no job %/, 'GET', '/api/jobs/%');
  await refused(405, 'E_PROTOCOL', /only GET, POST/, 'PUT', '/api/jobs');
  const command = { id: 'running', command: 'exec sleep 60' };
  await ask(context, 'POST', '/api/jobs', { body: command });
  await refused(409, 'E_JOB_STATE', /stop it first/, 'DELETE', '/api/jobs/running');
  await refused(409, 'E_NAME_TAKEN', /another job/, ...post({ ...command, command: 'true' }));
  t.is((await ask(context, 'POST', '/api/jobs/running/stop')).status, 200);
});

test.serial('without the token, and from a page in a browser, nothing is done', async (t) => {
  const { context } = t;
  const body = { id: 'evil', command: 'true' };
  const wrong = { authorization: 'Bearer wrong' };
  const unauthorized = await ask(context, 'POST', '/api/jobs', { body, headers: wrong });
  t.is(unauthorized.status, 401);
  const page = { origin: 'http://evil.example' };
  t.is((await ask(context, 'POST', '/api/jobs', { body, headers: page })).status, 403);
  t.is((await ask(context, 'GET', '/api/jobs/evil')).status, 404);
});

/** What a raw request is answered with, until the head closes the connection or `isEnough`. */
function raw(
  base: string,
  request: string,
  isEnough = (_: string): boolean => false,
): Promise<string> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const socket = connectSocket(Number(port), hostname, () => socket.write(request));
    let text = '';
    socket.on('data', (piece) => {
      text += piece.toString();
      if (isEnough(text)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

test.serial('a wrong token is refused before a body has arrived', async (t) => {
  const { base } = t.context;
  const head = 'POST /api/jobs HTTP/1.1\r\nhost: h\r\nauthorization: Bearer wrong\r\n';
  const answer = await raw(base, `${head}content-length: 1000000\r\n\r\n`);
  t.regex(answer, /^HTTP\/1\.1 401 /);
});

test.serial('paths that are no paths do no harm', async (t) => {
  const { base, opened } = t.context;
  for (const path of ['//', 'http://[', '/api/jobs//', '/api/jobs/%ff/logs', '*']) {
    const head = `GET ${path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n`;
    const answer = await raw(base, `${head}authorization: Bearer ${opened.local.token}\r\n\r\n`);
    t.regex(answer, /^HTTP\/1\.1 40\d /, path);
  }
  t.is((await ask(t.context, 'GET', '/api/jobs')).status, 200);
});

test.serial('whoever hangs up while he follows a job does it no harm', async (t) => {
  const { context } = t;
  await ask(context, 'POST', '/api/jobs', {
    body: { id: 'long', command: 'echo x; exec sleep 60' },
  });
  const head = `HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ${context.opened.local.token}\r\n\r\n`;
  const read = await raw(context.base, `GET /api/jobs/long/logs?follow=1 ${head}`, (text) =>
    text.includes('\nx\n'),
  );
  t.regex(read, /^HTTP\/1\.1 200 /);
  t.like(await json<JobStatus>(await ask(context, 'GET', '/api/jobs/long')), { phase: 'running' });
  const stopped = await ask(context, 'POST', '/api/jobs/long/stop');
  t.like(await json<JobStatus>(stopped), { phase: 'stopped' });
  t.is(await (await ask(context, 'GET', '/api/jobs/long/logs')).text(), 'x\n');
  t.is((await ask(context, 'GET', '/api/jobs')).status, 200);
});
