/**
 * The head is killed under load and started again at its address: how many calls of running actors are lost, which
 * must be none, and how long it takes until a new actor has answered. A number above 0 for lost calls ends with exit code 1.
 *
 *   node dist/test/bench/head-restart.bench.js [rounds=5] [drivers=2]
 */

import { availableParallelism, cpus, loadavg } from 'node:os';
import { table } from '../../runtime/cli/index.js';
import type { ActorHandle, Cluster } from '../../runtime/index.js';
import { RestartingCluster } from '../helpers/restarting-cluster.js';
import { until } from '../helpers/until.js';

const [rounds = 5, count = 2] = process.argv.slice(2).map(Number);
type Counters = typeof import('../fixtures/actors/counter.js');
type Tasks = typeof import('../fixtures/actors/tasks.js');
const counters = new URL('../fixtures/actors/counter.js', import.meta.url);
const tasks = new URL('../fixtures/actors/tasks.js', import.meta.url);

class Load {
  made = 0;
  lost = 0;
  tasks = 0;
  longestMs = 0;
  readonly ended: Promise<unknown>;
  #stopped = false;

  constructor(
    counter: ActorHandle<InstanceType<Counters['Counter']>>,
    task: (x: number) => PromiseLike<number>,
  ) {
    this.ended = Promise.all([this.#call(counter), this.#run(task)]);
  }

  stop(): Promise<unknown> {
    this.#stopped = true;
    return this.ended;
  }

  async #call(counter: ActorHandle<InstanceType<Counters['Counter']>>): Promise<void> {
    for (let counted = 0; !this.#stopped; ) {
      const start = performance.now();
      try {
        const value = await counter.add(1);
        if (value !== ++counted) this.lost++;
      } catch {
        this.lost++;
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - start);
      this.made++;
    }
  }

  async #run(task: (x: number) => PromiseLike<number>): Promise<void> {
    while (!this.#stopped) {
      await task(this.tasks);
      this.tasks++;
    }
  }
}

async function loadOf(driver: Cluster): Promise<Load> {
  const lib = await driver.load<Counters>(counters);
  const { square } = await driver.load<Tasks>(tasks);
  return new Load(await lib.Counter.create(), square);
}

/** Milliseconds from `SIGKILL` until each was reached. */
interface Round {
  /** The command that starts the head has said that it listens. */
  readonly listensMs: number;
  /** All nodes are back. */
  readonly nodesMs: number;
  /** An actor that was asked for meanwhile has answered a call. */
  readonly serviceMs: number;
  readonly callsMeanwhile: number;
}

async function round(opened: RestartingCluster, driver: Cluster, loads: readonly Load[]) {
  const lib = await driver.load<Counters>(counters);
  const calls = (): number => loads.reduce((sum, { made }) => sum + made, 0);
  const before = calls();
  await opened.killHead();
  const start = performance.now();
  const since = (): number => performance.now() - start;
  const service = lib.Counter.create().then(async (counter) => {
    await counter.add(1);
    const serviceMs = since();
    await counter.kill();
    return serviceMs;
  });
  await opened.startHead();
  const listensMs = since();
  await until('all nodes are back', async () => {
    const { nodes } = await driver.status();
    return nodes.every(({ isAway }) => !isAway);
  });
  const nodesMs = since();
  const serviceMs = await service;
  return { listensMs, nodesMs, serviceMs, callsMeanwhile: calls() - before } satisfies Round;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const load = loadavg()[0]!.toFixed(1);
console.log(`${cpus()[0]!.model}, ${availableParallelism()} cores, load ${load} before the run`);
await using opened = await RestartingCluster.start([8, 8]);
const drivers = await Promise.all(Array.from({ length: count }, () => opened.connect()));
const loads = await Promise.all(drivers.map(loadOf));
const results: Round[] = [];
for (let at = 0; at < rounds; at++) results.push(await round(opened, drivers[0]!, loads));
for (const one of loads) await one.stop();

const ms = (value: number): string => `${value.toFixed(0)} ms`;
const row = (what: string, of: (one: Round) => number, show: (value: number) => string) => {
  const values = results.map(of);
  return [what, show(median(values)), show(Math.min(...values)), show(Math.max(...values))];
};
console.log(`${rounds} rounds, ${count} drivers, each with calls in a loop and tasks in a loop`);
console.log(
  table(
    ['after SIGKILL of the head', 'median', 'best', 'worst'],
    [
      row('it listens again', ({ listensMs }) => listensMs, ms),
      row('all nodes are back', ({ nodesMs }) => nodesMs, ms),
      row('a new actor has answered', ({ serviceMs }) => serviceMs, ms),
      row('calls made meanwhile', ({ callsMeanwhile }) => callsMeanwhile, String),
    ],
  ),
);
const sum = (of: (one: Load) => number): number => loads.reduce((all, one) => all + of(one), 0);
const longest = Math.max(...loads.map(({ longestMs }) => longestMs));
console.log(`calls: ${sum(({ made }) => made)}, longest ${longest.toFixed(1)} ms`);
console.log(`tasks: ${sum(({ tasks: done }) => done)}`);
console.log(`lost calls of running actors: ${sum(({ lost }) => lost)}`);
if (sum(({ lost }) => lost) > 0) process.exitCode = 1;
