/**
 * How a head bears many nodes, actors, groups and tasks. The head is a process of its own; 64 nodes that only claim to start
 * actors live in this process, so what is timed is the head and the links to it.
 *
 *   node dist/test/bench/head-load.bench.js [tasks=10000] [actors=1000] [groups=1000] [queued=1000000]
 */

import { cpus, loadavg } from 'node:os';
import { RuntimeError, toWireError } from '../../runtime/errors.js';
import { type ActorId, type NodeId, newNodeId } from '../../runtime/ids.js';
import { startCluster } from '../../runtime/index.js';
import { toQuantities } from '../../runtime/resources.js';
import { Endpoint } from '../../runtime/wire/endpoint.js';
import type { Message } from '../../runtime/wire/messages.js';
import type { Peer } from '../../runtime/wire/peer.js';
import { cpuSeconds, cpuSince, memoryMib } from './ray-microbenchmark-measure.js';

const [tasks = 10_000, actors = 1_000, groups = 1_000, queued = 1_000_000] = process.argv
  .slice(2)
  .map(Number);
const nodes = 64;
const beatMs = 1_000;

/** Starts every actor at once, in words only, and answers every call with its first argument. */
class FakeNode implements AsyncDisposable {
  readonly #id: NodeId = newNodeId();
  readonly #endpoint: Endpoint;
  #head: Peer | undefined;
  #beats: NodeJS.Timeout | undefined;

  constructor(token: string) {
    const message = (peer: Peer, received: Message): void => this.#receive(peer, received);
    this.#endpoint = new Endpoint({ role: 'agent', token, events: { message } });
  }

  async join(url: string, name: string): Promise<void> {
    this.#head = await this.#endpoint.connect(url);
    await this.#endpoint.listen({ host: '127.0.0.1', port: 0 });
    const resources = toQuantities({ cpu: 16 });
    const node = { node: this.#id, name, resources, gpus: [], labels: {} };
    await this.#head.request({ kind: 'node.join', ...node });
    this.#beats = setInterval(() => {
      this.#head?.send({ kind: 'node.beat', node: this.#id, lagMs: 0 }, 'control');
    }, beatMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beats);
    await this.#endpoint.close('the benchmark is over');
  }

  #receive(peer: Peer, message: Message): void {
    switch (message.kind) {
      case 'actor.start':
        peer.send({ kind: 'actor.alive', actor: message.actor, address: this.#endpoint.address });
        return;
      case 'actor.stop':
        this.#exited(peer, message.actor);
        return;
      case 'call':
        peer.send({ kind: 'reply', id: message.id, value: message.args[0] });
        return;
    }
  }

  #exited(peer: Peer, actor: ActorId): void {
    const cause = toWireError(new RuntimeError('E_ACTOR_DEAD', 'it was stopped'));
    peer.send({ kind: 'actor.exited', actor, cause });
  }
}

await using local = await startCluster({ workers: 0 });
const { cluster, address, token } = local;
const [head] = local.pids;
const fakes = Array.from({ length: nodes }, () => new FakeNode(token));
await using _ = {
  [Symbol.asyncDispose]: async () => {
    await Promise.all(fakes.map((fake) => fake[Symbol.asyncDispose]()));
  },
};
await Promise.all(fakes.map((fake, n) => fake.join(address, `fake-${n}`)));
const module = new URL('../fixtures/actors/tasks.js', import.meta.url);
const lib = await cluster.load<typeof import('../fixtures/actors/tasks.js')>(module);

console.log(`${cpus()[0]?.model}, ${cpus().length} cores; load ${loadavg()[0]!.toFixed(1)}`);
console.log(`head with ${nodes} nodes: ${memoryMib([head!]).toFixed(0)} MiB`);

/** Time, processor time of the head, and its memory afterwards. */
async function measure(what: string, count: number, run: () => Promise<unknown>): Promise<void> {
  const before = cpuSeconds([head!]);
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1_000;
  const cpu = (cpuSince(before, [head!]) / count) * 1e6;
  const mib = memoryMib([head!]).toFixed(0);
  const rate = Math.round(count / seconds).toLocaleString('en');
  console.log(
    `${what}: ${seconds.toFixed(2)} s, ${rate} a second, ${cpu.toFixed(1)} µs of the head each; head ${mib} MiB`,
  );
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

await measure(`${tasks} tasks`, tasks, () => Promise.all(range(tasks).map((n) => lib.square(n))));
let living: readonly { kill(): Promise<void> }[] = [];
await measure(`${actors} actors created`, actors, async () => {
  living = await Promise.all(range(actors).map(() => lib.Tally.create({ resources: {} })));
});
await measure(`${actors} actors killed`, actors, () =>
  Promise.all(living.map((actor) => actor.kill())),
);
const bundles = [{ cpu: 0.01 }, { cpu: 0.01 }];
await measure(`${groups} placement groups made, held together and removed`, groups, async () => {
  const made = await Promise.all(
    range(groups).map(() => cluster.group(bundles, { strategy: 'spread' })),
  );
  await Promise.all(made.map((group) => group.remove()));
});
await measure(`${queued} tasks queued at once`, queued, () =>
  Promise.all(range(queued).map((n) => lib.square(n))),
);
