/**
 * The dashboard over HTTP: a page for everybody, which says nothing of the cluster, and what it shows for those who have shown the
 * token.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { toWireError } from '../errors.js';
import type { Peer } from '../wire/peer.js';
import { FactsFinder } from './cluster-facts.js';
import { makePage, type Page } from './page.js';
import type { DashboardAnswer } from './page-script.js';
import { tablesOf } from './tables.js';

const pathOf = ({ url }: IncomingMessage): string => (url ?? '').split('?')[0]!;

export class Dashboard {
  readonly #facts: FactsFinder;
  #page: Page | undefined;

  /** @param head The head, as a process that asks it. */
  constructor(head: () => Peer) {
    this.#facts = new FactsFinder(head);
  }

  /** Whether it is the page that was asked for; if so it is answered, to anybody. */
  open(request: IncomingMessage, response: ServerResponse): boolean {
    const { method } = request;
    if (pathOf(request) !== '/' || (method !== 'GET' && method !== 'HEAD')) return false;
    this.#page ??= makePage();
    // Whoever has not shown a token does not keep a connection.
    response.writeHead(200, { ...this.#page.headers, connection: 'close' });
    response.end(method === 'HEAD' ? undefined : this.#page.html);
    return true;
  }

  /** Whether the path is that of what the page shows; if so it is answered. The token has been shown. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    if (pathOf(request) !== '/api/dashboard') return false;
    if (request.headers.origin !== undefined) {
      // Its own page sends none with a GET: this is another one's.
      send(response, 403, { error: { code: 'E_PROTOCOL', message: 'not for other pages' } });
    } else if (request.method !== 'GET') {
      response.setHeader('allow', 'GET');
      send(response, 405, { error: { code: 'E_PROTOCOL', message: 'only GET' } });
    } else {
      void this.#answer(response);
    }
    return true;
  }

  async #answer(response: ServerResponse): Promise<void> {
    try {
      const facts = await this.#facts.find();
      const answer: DashboardAnswer = { at: facts.at, tables: tablesOf(facts) };
      send(response, 200, answer);
    } catch (error) {
      const { code = 'E_PROTOCOL', message } = toWireError(error);
      send(response, 500, { error: { code, message } });
    }
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(`${JSON.stringify(value)}\n`);
}
