/** Nodes for `head-load.bench.ts`, all in one process. */

import { RuntimeError, toWireError } from '../../runtime/errors.js';
import { type ActorId, type NodeId, newNodeId } from '../../runtime/ids.js';
import { serveUntilOrphaned } from '../../runtime/process.js';
import { toQuantities } from '../../runtime/resources.js';
import { Endpoint } from '../../runtime/wire/endpoint.js';
import type { Message } from '../../runtime/wire/messages.js';
import type { Peer } from '../../runtime/wire/peer.js';

interface FleetOptions {
  /** Of the head. */
  readonly url: string;
  readonly token: string;
  readonly nodes: number;
}

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

await serveUntilOrphaned<FleetOptions>(async ({ url, token, nodes }) => {
  const fakes = Array.from({ length: nodes }, () => new FakeNode(token));
  await Promise.all(fakes.map((fake, n) => fake.join(url, `fake-${n}`)));
  const server = {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(fakes.map((fake) => fake[Symbol.asyncDispose]()));
    },
  };
  return { server, ready: 'joined', ended: new Promise<never>(() => undefined) };
});
