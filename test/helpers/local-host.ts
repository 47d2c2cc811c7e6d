/** An actor's host within the test's own process, so that its links can be looked at. */

import type { ActorSurroundings } from '../../runtime/actor/context.js';
import { Executor } from '../../runtime/actor/executor.js';
import { type ActorHandle, makeHandle } from '../../runtime/actor/handle.js';
import { Instance } from '../../runtime/actor/instance.js';
import { EndpointOutbound } from '../../runtime/actor/outbound.js';
import { RuntimeError } from '../../runtime/errors.js';
import { newActorId, newNodeId } from '../../runtime/ids.js';
import { ActorRef } from '../../runtime/wire/address.js';
import { Endpoint } from '../../runtime/wire/endpoint.js';
import type { LatestTraffic } from '../../runtime/wire/latest-lane.js';
import type { Message } from '../../runtime/wire/messages.js';
import type { Peer } from '../../runtime/wire/peer.js';
import { token } from './endpoints.js';

export class LocalHost implements AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly outbound: EndpointOutbound;
  #executor: Executor | undefined;

  constructor() {
    this.endpoint = new Endpoint({
      role: 'host',
      token,
      revive: () => (ref) => makeHandle(ref as ActorRef, this.outbound),
      events: {
        message: (peer, message) => this.#message(peer, message),
        left: (peer) => this.#executor?.forget(peer),
      },
    });
    const noHead = (): Promise<never> =>
      Promise.reject(new RuntimeError('E_UNREACHABLE', 'there is no head'));
    this.outbound = new EndpointOutbound(this.endpoint, noHead);
  }

  /** Start the one actor; the handle is for callers in another host. */
  async actor<T extends object, Args extends readonly never[]>(
    Class: new (...args: Args) => T,
    args: Args,
    caller: LocalHost,
  ): Promise<ActorHandle<T>> {
    const address = await this.endpoint.listen({ host: '127.0.0.1', port: 0 });
    const node = { id: newNodeId(), name: 'here' };
    const ref = new ActorRef(newActorId(), node.id, Class.name, address);
    // These actors ask for neither cluster nor module.
    const own = { self: ref, node, resources: {}, span: () => undefined, note: () => undefined };
    const surroundings = own as unknown as ActorSurroundings;
    const instance = Instance.create(surroundings, Class as never, args);
    this.#executor = new Executor({
      invoke: instance.invoke,
      maxConcurrency: 1,
      onLostError: (method, error) => console.error(method, error),
    });
    return makeHandle<T>(ref, caller.outbound);
  }

  /** Sums over all links of this host. */
  get traffic(): LatestTraffic {
    const sum = { latestMessages: 0, latestPayloadBytes: 0, latestDropped: 0 };
    for (const { traffic } of this.endpoint.peers.values()) {
      sum.latestMessages += traffic.latestMessages;
      sum.latestPayloadBytes += traffic.latestPayloadBytes;
      sum.latestDropped += traffic.latestDropped;
    }
    return sum;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endpoint.close();
  }

  #message(peer: Peer, message: Message): void {
    switch (message.kind) {
      case 'call':
      case 'tell':
      case 'latest':
      case 'cancel':
      case 'stream.credit':
        this.#executor?.receive(peer, message);
        return;
      default:
        throw new Error(`unexpected ${message.kind}`);
    }
  }
}
