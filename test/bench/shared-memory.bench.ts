/**
 * An 8 MB array handed to an actor on the same machine, which reads its first and last number and answers: as a plain argument, which
 * goes through shared memory by itself, and of a program without shared memory, whose arguments go by the socket; put with its copy,
 * and allocated in shared memory; all in turn.
 *
 *   node dist/test/bench/shared-memory.bench.js [hand-overs=200] [megabytes=8]
 */

import { cpus, loadavg } from 'node:os';
import { table } from '../../runtime/cli/index.js';
import { type ActorHandle, type Cluster, connect, startCluster } from '../../runtime/index.js';
import type { Reader } from '../fixtures/actors/stored.js';

type Stored = typeof import('../fixtures/actors/stored.js');

const [count = '200', megabytes = '8'] = process.argv.slice(2);
const length = (Number(megabytes) * 1_000_000) / 4;
/** The ways take turns in blocks, for each leaves garbage that the next would pay for; the first of a block do not count. */
const blockSize = 20;
const warmUp = 5;

await using local = await startCluster({ workers: 1, resources: { cpu: 2 } });
const { cluster } = local;
const module = new URL('../fixtures/actors/stored.js', import.meta.url);
const lib = await cluster.load<Stored>(module);
const source = Float32Array.from({ length }, (_, n) => n);
const actorName = 'reader';

type Way = (
  reader: ActorHandle<Reader>,
  bySocket: ActorHandle<Reader>,
) => Promise<readonly [ms: number, ends: readonly number[]]>;

async function timed(
  run: () => Promise<readonly number[]>,
): Promise<readonly [number, readonly number[]]> {
  const start = performance.now();
  const ends = await run();
  return [performance.now() - start, ends];
}

async function handOver(
  of: Cluster,
  reader: ActorHandle<Reader>,
  array: Float32Array<ArrayBuffer>,
): Promise<readonly number[]> {
  const numbers = of.put(array);
  const ends = await reader.ends({ numbers });
  of.free([numbers]);
  return ends;
}

const ways: Readonly<Record<string, Way>> = {
  'put, with its copy': (reader) => timed(() => handOver(cluster, reader, source)),
  'put, allocated in shared memory': async (reader) => {
    const array = await cluster.allocate(Float32Array, length);
    array.set(source);
    return timed(() => handOver(cluster, reader, array));
  },
  'allocated and filled first, all of it timed': (reader) =>
    timed(async () => {
      const array = await cluster.allocate(Float32Array, length);
      array.set(source);
      return handOver(cluster, reader, array);
    }),
  'for comparison: a call without any': (reader) =>
    timed(async () => {
      await reader.pid();
      return [source[0]!, source[length - 1]!];
    }),
  'as a plain argument': (reader) => timed(() => reader.endsOf(source)),
  'as a plain argument, by the socket': (_, bySocket) => timed(() => bySocket.endsOf(source)),
};

/** Another connection, which finds no shared memory when it looks for it. */
async function withoutMemory(): Promise<Cluster> {
  process.env['PATCHBAY_SHARED_MEMORY'] = 'off';
  try {
    const { address, token } = local;
    const other = await connect({ address, token });
    const reader = await other.actor<Reader>(actorName);
    // The first one goes before there is a link, and so before it is asked what can be lent over that.
    await reader.endsOf(source);
    await reader.endsOf(source);
    return other;
  } finally {
    delete process.env['PATCHBAY_SHARED_MEMORY'];
  }
}

console.log(
  `${cpus()[0]!.model}, ${cpus().length} cores, Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}`,
);
for (const [where, Class] of [
  ['an actor on the main thread', lib.Reader],
  ['an actor on a thread', lib.ThreadReader],
] as const) {
  const reader = await Class.create({ resources: {}, name: actorName });
  await using other = await withoutMemory();
  const bySocket = await other.actor<Reader>(actorName);
  const times = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
  for (let block = 0; block < Number(count) / blockSize; block++) {
    for (const [name, way] of Object.entries(ways)) {
      for (let n = -warmUp; n < blockSize; n++) {
        const [ms, [first, last]] = await way(reader, bySocket);
        if (first !== source[0] || last !== source[length - 1])
          throw new Error(`${name}: ${first}, ${last}`);
        if (n >= 0) times.get(name)!.push(ms);
      }
    }
  }
  await reader.kill();
  const rows = [...times].map(([name, all]) => [
    name,
    ...[0.5, 0.9, 0.99].map((q) => quantile(all, q)),
  ]);
  console.log(`\n${megabytes} MB to ${where}, ${count} times, ms`);
  console.log(table(['', 'median', '90 %', '99 %'], rows));
}

function quantile(values: readonly number[], share: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)]!.toFixed(3);
}
