/** What an agent does for those who watch: passes lines on, counts, collects what its hosts have run. */

import type { NodeId } from '../ids.js';
import { taskWorkerLabel } from '../wire/actor-spec.js';
import type { Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import type { RequestBody } from '../wire/pending.js';
import type { LogLimits } from './actor-log.js';
import { LogFeed } from './log-feed.js';
import { UsageSum } from './process-usage.js';
import type { HostTrace, LogSource, NodeStats, Output, StoreStats, TaskRun } from './reports.js';
import { maxSpans } from './span-ring.js';
import { TaskCounts } from './task-counts.js';
import { endedRuns, newestRuns } from './task-runs.js';

export interface AgentView {
  readonly id: NodeId;
  readonly name: string;
  readonly head: () => Peer | undefined;
  /** Process ids of all hosts. */
  readonly pids: () => readonly number[];
  /** Links of the hosts that have an actor. */
  readonly busy: () => readonly Peer[];
  readonly store: () => StoreStats;
}

/** A host that does not answer within this is left out. */
const traceMs = 2_000;

export class AgentObserver {
  readonly #agent: AgentView;
  readonly #logs: LogFeed;
  readonly #usage = new UsageSum();
  readonly #tasks = new TaskCounts();
  /** Of hosts that have ended, oldest first. */
  readonly #ended: HostTrace[] = [];
  #latestDropped = 0;

  constructor(agent: AgentView) {
    this.#agent = agent;
    this.#logs = new LogFeed({
      node: agent.name,
      send: async (batch) => agent.head()?.request({ kind: 'log.lines', ...batch }),
      isReady: () => agent.head()?.closed === false,
    });
  }

  /** Whether the message was not the agent's own business. */
  serve(peer: Peer, message: Message): boolean {
    switch (message.kind) {
      case 'host.stats':
        for (const task of message.tasks) this.#tasks.add(task);
        this.#latestDropped += message.latestDropped;
        return true;
      case 'log.flush':
        void this.#logs.flush().then(() => {
          peer.send({ kind: 'reply', id: message.id, value: null });
        });
        return true;
      case 'trace.get':
        void this.#trace().then((value) => peer.send({ kind: 'reply', id: message.id, value }));
        return true;
      case 'tasks.list':
        void this.#runs(message.limit).then((value) => {
          peer.send({ kind: 'reply', id: message.id, value });
        });
        return true;
      default:
        return false;
    }
  }

  /** An actor or job begins; the returned function takes what its process prints. */
  begins(
    actor: LogSource,
    label: string,
    limits: Partial<LogLimits> = {},
  ): (stream: Output, text: string) => void {
    return this.#logs.open(actor, label, limits);
  }

  /** Its process is gone. */
  exited(actor: LogSource): void {
    this.#logs.close(actor);
  }

  /** What a host that was asked to end has run. Together no more is kept than of one host. */
  keep(trace: HostTrace | undefined): void {
    if (!trace) return;
    this.#ended.push(trace);
    let spans = this.#ended.reduce((sum, { name }) => sum + name.length, 0);
    while (spans > maxSpans && this.#ended.length > 1) spans -= this.#ended.shift()!.name.length;
  }

  beat(): void {
    const node = this.#agent.id;
    this.#agent.head()?.send({ kind: 'node.stats', node, stats: this.#stats() }, 'control');
  }

  stop(): void {
    this.#logs.stop();
  }

  #stats(): NodeStats {
    const pids = this.#agent.pids();
    const busy = this.#agent.busy().length;
    return {
      warm: Math.max(0, pids.length - busy),
      busy,
      ...this.#usage.sample(pids),
      linesDropped: this.#logs.dropped,
      latestDropped: this.#latestDropped,
      tasks: this.#tasks.list(),
      store: this.#agent.store(),
    };
  }

  async #trace(): Promise<readonly HostTrace[]> {
    return [...this.#ended, ...(await this.#ask<HostTrace>({ kind: 'trace.get' }))];
  }

  async #runs(limit: number): Promise<readonly TaskRun[]> {
    const living = await this.#ask<readonly TaskRun[]>({ kind: 'tasks.list', limit });
    const ended = this.#ended.filter(({ label }) => label === taskWorkerLabel);
    const all = [...living.flat(), ...ended.flatMap((trace) => endedRuns(trace, limit))];
    const node = this.#agent.name;
    return newestRuns(all, limit).map((run) => ({ ...run, node }));
  }

  /** What the hosts that have an actor answer in time. */
  async #ask<Answer>(body: RequestBody): Promise<readonly Answer[]> {
    const signal = AbortSignal.timeout(traceMs);
    const answers = await Promise.allSettled(
      this.#agent.busy().map((host) => host.request<Answer | null>(body, { signal })),
    );
    return answers.flatMap((answer) =>
      answer.status === 'fulfilled' && answer.value !== null ? [answer.value] : [],
    );
  }
}
