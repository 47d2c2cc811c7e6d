/** What pages are shown of the cluster: asked at most once a second, however many look. */

import type { ClusterStatus } from '../head/state.js';
import type { NodeStats, StoredObject, TaskRun } from '../observe/reports.js';
import type { JobStatus } from '../wire/job-spec.js';
import type { Peer } from '../wire/peer.js';
import type { ClusterFacts } from './tables.js';

/** What was found is good for so long. */
const goodMs = 1_000;
/** Nodes that have not answered by then are not waited for. */
const patienceMs = 1_000;
/** Tasks on a page. */
const shownRuns = 50;

export class FactsFinder {
  readonly #head: () => Peer;
  readonly #clock: () => number;
  #finding: Promise<ClusterFacts> | undefined;
  #foundAt = Number.NEGATIVE_INFINITY;

  /** @param head The head, as a process that asks it. @param clock @default Date.now */
  constructor(head: () => Peer, clock: () => number = Date.now) {
    this.#head = head;
    this.#clock = clock;
  }

  /** @throws RuntimeError `E_CLOSED` if the head is about to end. */
  find(): Promise<ClusterFacts> {
    const now = this.#clock();
    if (this.#finding && now - this.#foundAt < goodMs) return this.#finding;
    this.#foundAt = now;
    this.#finding = this.#ask(now);
    this.#finding.catch(() => {
      this.#foundAt = Number.NEGATIVE_INFINITY;
    });
    return this.#finding;
  }

  async #ask(at: number): Promise<ClusterFacts> {
    const head = this.#head();
    const [status, stats, jobs, runs, objects] = await Promise.all([
      head.request<ClusterStatus>({ kind: 'status' }),
      head.request<Readonly<Record<string, NodeStats>>>({ kind: 'stats' }),
      head.request<readonly JobStatus[]>({ kind: 'job.list' }),
      inTime(head.request<readonly TaskRun[]>({ kind: 'tasks.list', limit: shownRuns })),
      inTime(head.request<readonly StoredObject[]>({ kind: 'store.list' })),
    ]);
    return { at, status, stats, jobs, runs, objects };
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patienceMs);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
