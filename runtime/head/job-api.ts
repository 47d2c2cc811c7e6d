/**
 * Jobs over plain HTTP, for those who have shown the token. It asks the head what any driver would ask, over a link of
 * the head to itself.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import { RuntimeError, toWireError } from '../errors.js';
import type { JobId } from '../ids.js';
import { requireSelector } from '../labels.js';
import { jobBookLimits } from '../observe/log-book.js';
import { jobSource, type OutputLine } from '../observe/reports.js';
import { toQuantities } from '../resources.js';
import type { JobEntry } from '../wire/job-spec.js';
import type { Peer } from '../wire/peer.js';
import { BodyError, readBody } from './http-body.js';

const texts = z.record(z.string(), z.string());

const submission = z.strictObject({
  id: z.string().min(1).optional(),
  command: z.string(),
  cwd: z.string().optional(),
  env: texts.optional(),
  resources: z.record(z.string(), z.number()).optional(),
  labelSelector: texts.optional(),
  metadata: texts.optional(),
});

/** Statuses of errors; all others are the head's own fault. */
const statuses: Readonly<Record<string, number>> = {
  E_OPTION: 400,
  E_JOB_UNKNOWN: 404,
  E_JOB_STATE: 409,
  E_NAME_TAKEN: 409,
  E_NO_ROOM: 422,
};

type Method = 'GET' | 'POST' | 'DELETE';
interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** Aborted when the caller hangs up. */
  readonly signal: AbortSignal;
}
type Route = Partial<Record<Method, (call: Call) => Promise<void>>>;

export class JobApi {
  readonly #head: () => Peer;

  /** @param head The head, as a process that asks it. */
  constructor(head: () => Peer) {
    this.#head = head;
  }

  /** Whether the path is one of this API; if so it is answered. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const [path = '', ...rest] = (request.url ?? '').split('?');
    if (path !== '/api/jobs' && !path.startsWith('/api/jobs/')) return false;
    const query = new URLSearchParams(rest.join('?'));
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const call: Call = { request, response, query, signal: gone.signal };
    this.#answer(call, path.split('/').slice(3)).catch((error: unknown) => {
      fail(response, error);
    });
    return true;
  }

  async #answer(call: Call, path: readonly string[]): Promise<void> {
    const { request, response } = call;
    // Our clients are programs. A page in a browser that talks to a head on its user's machine is up to no good.
    if (request.headers.origin !== undefined) {
      sendError(response, 403, 'E_PROTOCOL', 'requests from pages in a browser are refused');
      return;
    }
    const route = this.#routeOf(path);
    const handler = route?.[request.method as Method];
    if (handler) {
      await handler(call);
    } else if (route) {
      response.setHeader('allow', Object.keys(route).join(', '));
      sendError(response, 405, 'E_PROTOCOL', `only ${Object.keys(route).join(', ')}`);
    } else {
      sendError(response, 404, 'E_PROTOCOL', 'no such path; docs/jobs.md lists them');
    }
  }

  #routeOf([id, action, ...rest]: readonly string[]): Route | undefined {
    if (rest.length > 0) return undefined;
    if (id === undefined) {
      return { GET: (call) => this.#list(call), POST: (call) => this.#submit(call) };
    }
    const job = decoded(id) as JobId;
    switch (action) {
      case undefined:
        return {
          GET: (call) => this.#status(call, job),
          DELETE: (call) => this.#delete(call, job),
        };
      case 'logs':
        return { GET: (call) => this.#logs(call, job) };
      case 'stop':
        return { POST: (call) => this.#stop(call, job) };
      default:
        return undefined;
    }
  }

  async #list({ response, signal }: Call): Promise<void> {
    const jobs = await this.#head().request({ kind: 'job.list' }, { signal });
    send(response, 200, { jobs });
  }

  async #submit({ request, response, signal }: Call): Promise<void> {
    const {
      id = '',
      command,
      cwd,
      env = {},
      resources = {},
      labelSelector,
      metadata = {},
    } = parsed(await readBody(request));
    const entry: JobEntry = {
      kind: 'command',
      command,
      env,
      ...(cwd === undefined ? {} : { cwd }),
    };
    const spec = {
      entry,
      resources: toQuantities(resources),
      ...(labelSelector ? { labelSelector: requireSelector(labelSelector) } : {}),
      metadata,
    };
    const job = await this.#head().request({ kind: 'job.submit', job: id, spec }, { signal });
    send(response, 201, { id: job });
  }

  async #status({ response, signal }: Call, job: JobId): Promise<void> {
    send(response, 200, await this.#head().request({ kind: 'job.status', job }, { signal }));
  }

  /** Answered when the job is over. */
  async #stop({ response, signal }: Call, job: JobId): Promise<void> {
    send(response, 200, await this.#head().request({ kind: 'job.kill', job }, { signal }));
  }

  async #delete({ response, signal }: Call, job: JobId): Promise<void> {
    await this.#head().request({ kind: 'job.delete', job }, { signal });
    send(response, 200, { deleted: job });
  }

  async #logs({ response, query, signal }: Call, job: JobId): Promise<void> {
    const tail = Number(query.get('tail') ?? jobBookLimits.lines);
    if (!Number.isSafeInteger(tail) || tail < 0) {
      throw new RuntimeError('E_OPTION', `tail ${query.get('tail')} must be a whole number from 0`);
    }
    const follow = query.get('follow') === '1';
    // An unknown job is an error, not a text that breaks off.
    await this.#head().request({ kind: 'job.status', job }, { signal });
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', ...plain });
    // Whoever follows a silent job knows at once that it is there.
    response.flushHeaders();
    const lists = this.#head().stream<readonly OutputLine[]>(
      { kind: 'log.read', actor: jobSource(job), tail, follow },
      { signal },
    );
    for await (const lines of lists) {
      const text = lines.map((line) => `${line.text}\n`).join('');
      // A reader that is slow is told what it has missed, by the head that sends no more than is taken.
      if (!response.write(text)) await drained(response, signal);
    }
    response.end();
  }
}

/** @throws RuntimeError `E_OPTION` naming the field that is wrong. */
function parsed(body: string): z.infer<typeof submission> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new RuntimeError('E_OPTION', 'the body is not JSON', { cause });
  }
  const result = submission.safeParse(value);
  if (result.success) return result.data;
  throw new RuntimeError('E_OPTION', z.prettifyError(result.error));
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

const drained = (response: ServerResponse, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });

/** What is answered is data, whatever a job has printed. */
const plain = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', ...plain });
  response.end(`${JSON.stringify(value)}\n`);
}

const sendError = (response: ServerResponse, status: number, code: string, message: string): void =>
  send(response, status, { error: { code, message } });

function fail(response: ServerResponse, error: unknown): void {
  // Begun already, or nobody is there any more: it breaks off.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { code = 'E_PROTOCOL', message } = toWireError(error);
  if (error instanceof BodyError) {
    // The rest of the body is not read.
    response.setHeader('connection', 'close');
    sendError(response, error.status, code, message);
    return;
  }
  sendError(response, statuses[code] ?? 500, code, message);
}
