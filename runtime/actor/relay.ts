/**
 * Calls that an actor on a thread makes to other actors: to the thread, the host is an actor with one method for each
 * way of calling. Both halves are here.
 */

import { RuntimeError } from '../errors.js';
import type { ActorId, ProcessId } from '../ids.js';
import { ObjectRef } from '../object/object-ref.js';
import type { Objects } from '../object/objects.js';
import { ActorRef, ObjectLocator } from '../wire/address.js';
import { encodeFrame } from '../wire/frame.js';
import type { Peer } from '../wire/peer.js';
import type { Invoke } from './executor.js';
import type { Outbound } from './handle.js';

const relay = '' as ActorId;

/** On the thread. */
export class RelayOutbound implements Outbound {
  readonly #host: Peer;
  readonly #process: ProcessId;

  /** @param process The host's: credits of the latest-wins lane go back to it. */
  constructor(host: Peer, process: ProcessId) {
    this.#host = host;
    this.#process = process;
  }

  call(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.#host.request(
      { kind: 'call', actor: relay, method: 'call', args: [ref, method, args], stream: false },
      signal ? { signal } : {},
    );
  }

  stream(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): AsyncGenerator<unknown> {
    return this.#host.stream(
      { kind: 'call', actor: relay, method: 'stream', args: [ref, method, args], stream: true },
      signal ? { signal } : {},
    );
  }

  tell(ref: ActorRef, method: string, args: readonly unknown[]): void {
    this.#host.tell({ kind: 'tell', actor: relay, method: 'tell', args: [ref, method, args] });
  }

  latest(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    slot: string,
    credits: number,
  ): void {
    const { actor, address: to } = ref;
    const sender = this.#process;
    // Encoded for its last reader; the host passes the frame on as it is.
    const message = { kind: 'latest', sender, to, actor, slot, credits, method, args } as const;
    this.#host.forward(encodeFrame([message]), 'latest');
  }

  /** What stands on the thread for an object that another process passed on. */
  borrow(locator: ObjectLocator): ObjectRef<unknown> {
    return new ObjectRef({
      id: locator.id,
      locate: () => locator,
      fetch: () =>
        this.#host.request({
          kind: 'call',
          actor: relay,
          method: 'object',
          args: [locator],
          stream: false,
        }),
    });
  }

  async kill(ref: ActorRef): Promise<void> {
    await this.#host.request({
      kind: 'call',
      actor: relay,
      method: 'kill',
      args: [ref],
      stream: false,
    });
  }
}

/** On the host: what the thread asked for, done over the host's links. */
export const relayInvoke =
  (outbound: Outbound, objects: Objects): Invoke =>
  (how, [ref, method, args], { signal }) => {
    if (how === 'object' && ref instanceof ObjectLocator) return objects.borrow(ref).value();
    if (!(ref instanceof ActorRef)) throw new RuntimeError('E_PROTOCOL', 'a relay to nobody');
    const name = method as string;
    const values = args as readonly unknown[];
    switch (how) {
      case 'call':
        return outbound.call(ref, name, values, signal);
      case 'stream':
        return outbound.stream(ref, name, values, signal);
      case 'tell':
        return outbound.tell(ref, name, values);
      case 'kill':
        return outbound.kill(ref);
      default:
        throw new RuntimeError('E_METHOD', `the relay has no method ${how}`);
    }
  };
