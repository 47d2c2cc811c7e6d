/**
 * An actor on a thread of its own, as its host sees it. Calls go in over a port; calls that the actor makes to others
 * come out as calls to the host's relay and leave over the host's links.
 */

import { MessageChannel, Worker } from 'node:worker_threads';
import type { ActorIdentity } from '../actor/context.js';
import { type ConcurrencyLimits, Executor, type Invoke } from '../actor/executor.js';
import type { Outbound } from '../actor/handle.js';
import { relayInvoke } from '../actor/relay.js';
import { RuntimeError } from '../errors.js';
import type { ActorId, ProcessId } from '../ids.js';
import type { Objects } from '../object/objects.js';
import type { HostWatch } from '../observe/host-watch.js';
import { ThreadLender } from '../store/thread-lending.js';
import type { ActorSpec } from '../wire/actor-spec.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { Message } from '../wire/messages.js';
import { Peer } from '../wire/peer.js';
import { PortLink } from '../wire/port-link.js';
import type { ThreadData } from './actor-thread-main.js';

export interface ActorThreadOptions {
  readonly identity: ActorIdentity;
  /** The bundle on this node's disk. */
  readonly file: string;
  readonly spec: ActorSpec;
  readonly limits: ConcurrencyLimits;
  readonly outbound: Outbound;
  /** The host's: frames of the latest-wins lane pass through it untouched. */
  readonly endpoint: Endpoint;
  readonly objects: Objects;
  readonly watch: HostWatch;
  readonly note: (text: string) => void;
}

export class ActorThread {
  readonly #peer: Peer;
  readonly #actor: ActorId;

  private constructor(peer: Peer, actor: ActorId) {
    this.#peer = peer;
    this.#actor = actor;
  }

  /** @throws RuntimeError `E_ACTOR_START` with the constructor's error as its cause. */
  static async start(options: ActorThreadOptions): Promise<ActorThread> {
    const { identity, file, spec, limits, outbound, endpoint, objects, watch, note } = options;
    const { port1, port2 } = new MessageChannel();
    const { self, node, resources } = identity;
    const data: ThreadData = {
      port: port2,
      file,
      exportName: spec.exportName,
      args: spec.args,
      limits,
      self: { ...self },
      node,
      resources,
    };
    const worker = new Worker(new URL('./actor-thread-main.js', import.meta.url), {
      workerData: data,
      transferList: [port2],
    });
    const relay = new Executor({
      invoke: relayInvoke(outbound, objects, { watch, note }),
      maxConcurrency: Number.POSITIVE_INFINITY,
      onLostError: (method, error) => console.error(`${self.label}: relayed ${method}:`, error),
    });
    const lending = new ThreadLender();
    const peer = new Peer(
      self.actor as string as ProcessId,
      `thread of ${self.label}`,
      {
        message: (from, message) => {
          if (!lending.serve(from, message)) relayReceive(relay, from, message);
        },
        latest: (_, message, frame) => endpoint.to(message.to).latest(message, frame),
        credit: (message) => endpoint.peers.get(message.sender)?.send(message, 'control'),
        closed: () => relay.stop(),
      },
      () => (ref) => ref,
      { lending },
    );
    // The thread is the actor: when it ends, the process ends, and the agent tells why.
    worker.once('error', (error) => console.error(error));
    worker.once('exit', (code) => process.exit(code));
    peer.attach(new PortLink(port1));
    const thread = new ActorThread(peer, self.actor);
    await thread.#request('start', []);
    return thread;
  }

  readonly invoke: Invoke = (method, args, { stream, signal }) => {
    const body = { kind: 'call', actor: this.#actor, method, args, stream } as const;
    return stream ? this.#peer.stream(body, { signal }) : this.#peer.request(body, { signal });
  };

  /** A message of the latest-wins lane, still encoded. The actor reads it when it lets its thread. */
  latest(frame: Uint8Array<ArrayBuffer>): void {
    this.#peer.forward(frame, 'latest');
  }

  /** While a method holds the thread, this waits. */
  async collect(): Promise<void> {
    await this.#request('collect', []);
  }

  async dispose(): Promise<void> {
    await this.#request('dispose', []);
  }

  /** A call to the thread itself rather than to its actor. */
  #request(method: 'start' | 'collect' | 'dispose', args: readonly unknown[]): Promise<unknown> {
    const actor = '' as ActorId;
    return this.#peer.request({ kind: 'call', actor, method, args, stream: false });
  }
}

function relayReceive(relay: Executor, from: Peer, message: Message): void {
  switch (message.kind) {
    case 'call':
    case 'tell':
    case 'cancel':
    case 'stream.credit':
      relay.receive(from, message);
      return;
    default:
      throw new RuntimeError('E_PROTOCOL', `unexpected ${message.kind} from a compute thread`);
  }
}
