/**
 * Traces as Chrome's trace viewer and Perfetto read them: a process for each node, a thread for each host. A thread
 * cannot show two calls that overlap without one lying within the other, so a host whose calls do has further threads.
 */

import { taskWorkerLabel } from '../wire/actor-spec.js';
import type { HostTrace, NodeTrace } from './reports.js';

export interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  /** Microseconds since the first span of the trace. */
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

export interface ChromeTrace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
}

export function chromeTrace(nodes: readonly NodeTrace[]): ChromeTrace {
  const origin = nodes
    .flatMap(({ hosts }) => hosts)
    .flatMap(({ start }) => [...start])
    .reduce((first, start) => Math.min(first, start), Number.POSITIVE_INFINITY);
  const traceEvents: TraceEvent[] = [];
  for (const [index, { node, hosts }] of nodes.entries()) {
    const pid = index + 1;
    traceEvents.push({ name: 'process_name', ph: 'M', pid, tid: 0, args: { name: node } });
    let tid = 1;
    for (const host of hosts) {
      for (const [row, spans] of rowsOf(host).entries()) {
        const name = `${host.label} (pid ${host.pid})${row === 0 ? '' : ` +${row}`}`;
        traceEvents.push({ name: 'thread_name', ph: 'M', pid, tid, args: { name } });
        for (const span of spans) traceEvents.push(eventOf(host, span, origin, pid, tid));
        tid++;
      }
    }
  }
  return { traceEvents, displayTimeUnit: 'ms' };
}

function eventOf(
  host: HostTrace,
  span: number,
  origin: number,
  pid: number,
  tid: number,
): TraceEvent {
  const failed = host.failed[span] === 1;
  return {
    name: host.names[host.name[span]!] ?? '?',
    cat: host.part[span] === 1 ? 'part' : host.label === taskWorkerLabel ? 'task' : 'actor',
    ph: 'X',
    pid,
    tid,
    ts: (host.start[span]! - origin) * 1_000,
    dur: host.ms[span]! * 1_000,
    args: { actor: host.actor, ...(failed ? { failed } : {}) },
  };
}

/** Spans in as few rows as there are calls at once: each goes to the first row that is free when it begins. */
function rowsOf({ start, ms }: HostTrace): readonly (readonly number[])[] {
  const order = [...start.keys()].sort((a, b) => start[a]! - start[b]!);
  const rows: { end: number; readonly spans: number[] }[] = [];
  for (const span of order) {
    let row = rows.find(({ end }) => end <= start[span]!);
    if (!row) {
      row = { end: 0, spans: [] };
      rows.push(row);
    }
    row.end = start[span]! + ms[span]!;
    row.spans.push(span);
  }
  return rows.map(({ spans }) => spans);
}
