/** What the head does for those who watch: logs, metrics and traces. It decides nothing and changes no state. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../errors.js';
import type { Effect, HeadEvent } from '../head/brain.js';
import type { NodeId } from '../ids.js';
import type { Message, MessageKind } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import type { RequestBody } from '../wire/pending.js';
import { type HeadView, LogHub } from './log-hub.js';
import { HeadMetrics } from './metrics.js';
import type { HostTrace, NodeStats, NodeTrace, StoredObject, TaskRun } from './reports.js';
import { maxRuns, newestRuns } from './task-runs.js';

/** An agent that does not answer within this is left out. */
const traceMs = 5_000;
/** A store that does not answer within this is left out of a list. */
const listMs = 2_000;

/** A job was deleted, or one more has ended and the oldest is remembered no longer. */
const forgetsJobs: ReadonlySet<MessageKind> = new Set(['job.delete', 'job.exited']);

export class HeadObserver {
  readonly #head: HeadView;
  readonly #logs: LogHub;
  readonly #stats = new Map<NodeId, NodeStats>();
  readonly #metrics: HeadMetrics;

  constructor(head: HeadView) {
    this.#head = head;
    this.#logs = new LogHub(head);
    this.#metrics = new HeadMetrics(head, this.#stats);
  }

  /** Whether the message was not the brain's business. */
  serve(peer: Peer, message: Message): boolean {
    switch (message.kind) {
      case 'node.stats':
        if (this.#head.state().nodes.has(message.node)) {
          this.#stats.set(message.node, message.stats);
        }
        return true;
      case 'stats':
        peer.send({ kind: 'reply', id: message.id, value: this.#statsByName() });
        return true;
      case 'store.list':
        void this.#objects().then((value) => peer.send({ kind: 'reply', id: message.id, value }));
        return true;
      case 'trace.get':
        void this.#trace().then((value) => peer.send({ kind: 'reply', id: message.id, value }));
        return true;
      case 'tasks.list':
        void this.#runs(Math.min(message.limit, maxRuns)).then((value) => {
          peer.send({ kind: 'reply', id: message.id, value });
        });
        return true;
      default:
        return this.#logs.serve(peer, message);
    }
  }

  left(peer: Peer): void {
    this.#logs.left(peer);
    this.#metrics.left(peer);
  }

  /** A plain HTTP request that has shown the token. */
  http(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response
        .writeHead(404, { 'content-type': 'text/plain' })
        .end('there are only GET /, /metrics, /api/dashboard and /api/jobs\n');
      return;
    }
    this.#metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': this.#metrics.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${messageOf(error)}\n`),
    );
  }

  close(): void {
    this.#metrics.close();
  }

  /** After every step of the brain. */
  stepped(event: HeadEvent, effects: readonly Effect[]): void {
    this.#logs.settle();
    if ('message' in event && forgetsJobs.has(event.message.kind)) this.#logs.forgetJobs();
    this.#metrics.stepped(effects.filter(({ send }) => send.kind === 'actor.start').length);
    if (!('tick' in event)) return;
    this.#logs.tidy();
    for (const node of this.#stats.keys()) {
      if (!this.#head.state().nodes.has(node)) this.#stats.delete(node);
    }
  }

  #statsByName(): Readonly<Record<string, NodeStats>> {
    return Object.fromEntries(
      [...this.#head.state().nodes.values()].flatMap(({ id, name }) => {
        const stats = this.#stats.get(id);
        return stats ? [[name, stats]] : [];
      }),
    );
  }

  /** Large objects of all nodes and drivers. */
  async #objects(): Promise<readonly StoredObject[]> {
    const { endpoint, state } = this.#head;
    const signal = AbortSignal.timeout(listMs);
    const agents = new Set([...state().nodes.values()].map(({ agent }) => agent));
    const asked = [...endpoint.peers.values()]
      .filter((peer) => agents.has(peer.process) || endpoint.roleOf(peer) === 'driver')
      .map((peer) => peer.request<readonly StoredObject[]>({ kind: 'store.list' }, { signal }));
    const answers = await Promise.allSettled(asked);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  }

  async #trace(): Promise<readonly NodeTrace[]> {
    const answers = await this.#ask<readonly HostTrace[]>({ kind: 'trace.get' });
    return answers.map(({ node, answer: hosts }) => ({ node, hosts }));
  }

  async #runs(limit: number): Promise<readonly TaskRun[]> {
    const answers = await this.#ask<readonly TaskRun[]>({ kind: 'tasks.list', limit });
    const all = answers.flatMap(({ answer }) => answer);
    return newestRuns(all, limit);
  }

  /** What agents answer in time, with the names of their nodes. */
  async #ask<Answer>(
    body: RequestBody,
  ): Promise<readonly { readonly node: string; readonly answer: Answer }[]> {
    const signal = AbortSignal.timeout(traceMs);
    const asked = [...this.#head.state().nodes.values()].flatMap(({ name, agent }) => {
      const peer = this.#head.endpoint.peers.get(agent);
      return peer
        ? [peer.request<Answer>(body, { signal }).then((answer) => ({ node: name, answer }))]
        : [];
    });
    const answers = await Promise.allSettled(asked);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }
}
