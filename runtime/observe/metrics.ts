/** The head's numbers for Prometheus, read from its state when they are asked for. */

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Registry } from 'prom-client';
import type { HeadState } from '../head/state.js';
import type { ActorId, NodeId } from '../ids.js';
import { plus, type Quantities, toResources } from '../resources.js';
import type { Peer, PeerCounts } from '../wire/peer.js';
import type { HeadView } from './log-hub.js';
import type { NodeStats } from './reports.js';

/** Values by label: `[labels, value]`. */
type Samples = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];

/** Names of resources are the users': no more than these are told. */
const maxResources = 100;

/** The event loop is looked at so often; what is measured includes it. */
const resolutionMs = 10;

const actorPhases = ['pending', 'starting', 'alive', 'dead'] as const;
const storeGauges = [
  ['objects', 'objects', 'spilledObjects'],
  ['bytes', 'bytes', 'spilledBytes'],
] as const;
const groupPhases = ['waiting', 'ready', 'removing'] as const;

export class HeadMetrics {
  readonly #head: HeadView;
  readonly #stats: ReadonlyMap<NodeId, NodeStats>;
  readonly #registry = new Registry();
  readonly #lag: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });
  #placements = 0;
  #deaths = 0;
  #lastGrave: ActorId | undefined;
  /** Of links that are gone. */
  #before: PeerCounts = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };

  /** @param stats What agents told last; looked at whenever somebody asks. */
  constructor(head: HeadView, stats: ReadonlyMap<NodeId, NodeStats>) {
    this.#head = head;
    this.#stats = stats;
    this.#lastGrave = head.state().graves.at(-1);
    this.#lag.enable();
    this.#registerState();
    this.#registerTraffic();
    this.#registerNodes();
  }

  /** @param placements Actors that were given a place in the step. */
  stepped(placements: number): void {
    this.#placements += placements;
    const { graves } = this.#head.state();
    let fresh = 0;
    while (fresh < graves.length && graves.at(-1 - fresh) !== this.#lastGrave) fresh++;
    this.#deaths += fresh;
    this.#lastGrave = graves.at(-1);
  }

  left({ counts }: Peer): void {
    this.#before = sum(this.#before, counts);
  }

  close(): void {
    this.#lag.disable();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #registerState(): void {
    const state = (): HeadState => this.#head.state();
    this.#gauge('nodes', 'Nodes that have joined', [], () => [[{}, state().nodes.size]]);
    this.#gauge('actors', 'Actors and task workers; the dead as far as remembered', ['phase'], () =>
      byPhase(actorPhases, state().actors.values()),
    );
    this.#gauge('groups', 'Placement groups', ['phase'], () =>
      byPhase(groupPhases, state().groups.values()),
    );
    const waiting = (): readonly number[] => waitingSince(state());
    this.#gauge('pending', 'Actors and groups that wait for resources', [], () => [
      [{}, waiting().length],
    ]);
    this.#gauge('pending_oldest_seconds', 'How long the oldest of them waits', [], () => {
      const since = waiting().reduce((first, at) => Math.min(first, at), Date.now());
      return [[{}, (Date.now() - since) / 1_000]];
    });
    for (const which of ['total', 'free'] as const) {
      const help = `Resources of all nodes, ${which}`;
      this.#gauge(`resource_${which}`, help, ['resource'], () => resourcesOf(state(), which));
    }
    this.#counter('placements_total', 'Actors that were given a place', [], () => [
      [{}, this.#placements],
    ]);
    this.#counter('deaths_total', 'Actors and task workers that are dead for good', [], () => [
      [{}, this.#deaths],
    ]);
  }

  #registerTraffic(): void {
    const counts = (): PeerCounts =>
      [...this.#head.endpoint.peers.values()].reduce(
        (all, peer) => sum(all, peer.counts),
        this.#before,
      );
    this.#counter('link_messages_total', 'Messages on links of the head', ['direction'], () => [
      [{ direction: 'in' }, counts().messagesIn],
      [{ direction: 'out' }, counts().messagesOut],
    ]);
    this.#counter('link_bytes_total', 'Bytes of frames on links of the head', ['direction'], () => [
      [{ direction: 'in' }, counts().bytesIn],
      [{ direction: 'out' }, counts().bytesOut],
    ]);
    const help = 'Delay of the event loop of the head since it was asked for last';
    this.#gauge('head_event_loop_lag_seconds', help, ['quantile'], () => {
      const values: Samples = [50, 99, 100].map((percent) => [
        { quantile: `${percent / 100}` },
        Math.max(0, this.#lag.percentile(percent) / 1e9 - resolutionMs / 1e3),
      ]);
      this.#lag.reset();
      return values;
    });
  }

  #registerNodes(): void {
    const each = (value: (stats: NodeStats) => number) => (): Samples =>
      this.#nodes().map(({ name, stats }) => [{ node: name }, value(stats)]);
    this.#gauge('hosts', 'Host processes', ['node', 'state'], () =>
      this.#nodes().flatMap(
        ({ name, stats }): Samples => [
          [{ node: name, state: 'warm' }, stats.warm],
          [{ node: name, state: 'busy' }, stats.busy],
        ],
      ),
    );
    this.#gauge('node_event_loop_lag_seconds', 'Longest delay in the last second', ['node'], () =>
      [...this.#head.state().nodes.values()].map(({ name, lagMs }) => [
        { node: name },
        lagMs / 1_000,
      ]),
    );
    const cpu = 'Processor time of hosts, also of those that have ended';
    this.#counter(
      'host_cpu_seconds_total',
      cpu,
      ['node'],
      each((stats) => stats.cpuSeconds),
    );
    this.#gauge(
      'host_rss_bytes',
      'Memory of hosts',
      ['node'],
      each((stats) => stats.rssBytes),
    );
    const lines = 'Lines of actors that were not passed on: too many';
    this.#counter(
      'log_lines_dropped_total',
      lines,
      ['node'],
      each((stats) => stats.linesDropped),
    );
    const latest =
      'Messages of the latest-wins lane that newer ones replaced before they were sent';
    this.#counter(
      'latest_dropped_total',
      latest,
      ['node'],
      each((stats) => stats.latestDropped),
    );
    for (const [what, key, spilledKey] of storeGauges) {
      this.#gauge(`store_${what}`, `Large objects of a node: ${what}`, ['node', 'where'], () =>
        this.#nodes().flatMap(
          ({ name, stats: { store } }): Samples => [
            [{ node: name, where: 'memory' }, store[key]],
            [{ node: name, where: 'disk' }, store[spilledKey]],
          ],
        ),
      );
    }
    this.#counter('tasks_total', 'Tasks that have run', ['node', 'outcome'], () =>
      this.#nodes().flatMap(
        ({ name, stats }): Samples =>
          (['finished', 'failed'] as const).map((outcome) => [
            { node: name, outcome },
            stats.tasks.reduce((all, task) => all + task[outcome], 0),
          ]),
      ),
    );
  }

  #nodes(): readonly { readonly name: string; readonly stats: NodeStats }[] {
    return [...this.#head.state().nodes.values()].flatMap(({ id, name }) => {
      const stats = this.#stats.get(id);
      return stats ? [{ name, stats }] : [];
    });
  }

  #gauge(name: string, help: string, labelNames: string[], read: () => Samples): void {
    new Gauge(this.#told(name, help, labelNames, read));
  }

  #counter(name: string, help: string, labelNames: string[], read: () => Samples): void {
    new Counter(this.#told(name, help, labelNames, read));
  }

  /** Known elsewhere: told as it stands whenever somebody asks. */
  #told(name: string, help: string, labelNames: string[], read: () => Samples) {
    return {
      name: `patchbay_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect(this: Gauge | Counter): void {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    };
  }
}

function byPhase(
  phases: readonly string[],
  records: Iterable<{ readonly state: { readonly phase: string } }>,
): Samples {
  const counts = new Map(phases.map((phase) => [phase, 0]));
  for (const { state } of records) counts.set(state.phase, (counts.get(state.phase) ?? 0) + 1);
  return [...counts].map(([phase, count]) => [{ phase }, count]);
}

const waitingSince = ({ actors, groups }: HeadState): readonly number[] => [
  ...[...actors.values()].flatMap(({ state }) => (state.phase === 'pending' ? [state.since] : [])),
  ...[...groups.values()].flatMap(({ state, since }) => (state.phase === 'waiting' ? [since] : [])),
];

function resourcesOf(state: HeadState, which: 'total' | 'free'): Samples {
  const all = [...state.nodes.values()].reduce<Quantities>((so, node) => plus(so, node[which]), {});
  return Object.entries(toResources(all))
    .slice(0, maxResources)
    .map(([resource, units]) => [{ resource }, units]);
}

const sum = (a: PeerCounts, b: PeerCounts): PeerCounts => ({
  messagesIn: a.messagesIn + b.messagesIn,
  messagesOut: a.messagesOut + b.messagesOut,
  bytesIn: a.bytesIn + b.bytesIn,
  bytesOut: a.bytesOut + b.bytesOut,
});
