/** Calls to other actors, host to host, over this process's endpoint. The head is asked only why an actor died. */

import { ActorLostError, LinkLostError, RuntimeError } from '../errors.js';
import type { ActorRef } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { Peer } from '../wire/peer.js';
import type { Outbound } from './handle.js';

/** The head usually knows why within milliseconds; after this the caller hears only that the link broke. */
const verdictMs = 5_000;

export class EndpointOutbound implements Outbound {
  readonly endpoint: Endpoint;
  readonly #head: () => Promise<Peer>;

  constructor(endpoint: Endpoint, head: () => Promise<Peer>) {
    this.endpoint = endpoint;
    this.#head = head;
  }

  async call(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<unknown> {
    try {
      return await this.endpoint
        .to(ref.address)
        .request(
          { kind: 'call', actor: ref.actor, method, args, stream: false },
          signal ? { signal } : {},
        );
    } catch (error) {
      throw await this.#explain(ref, error);
    }
  }

  async *stream(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): AsyncGenerator<unknown> {
    try {
      yield* this.endpoint
        .to(ref.address)
        .stream(
          { kind: 'call', actor: ref.actor, method, args, stream: true },
          signal ? { signal } : {},
        );
    } catch (error) {
      throw await this.#explain(ref, error);
    }
  }

  tell(ref: ActorRef, method: string, args: readonly unknown[]): void {
    this.endpoint.to(ref.address).tell({ kind: 'tell', actor: ref.actor, method, args });
  }

  latest(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    slot: string,
    credits: number,
  ): void {
    const { actor, address: to } = ref;
    const sender = this.endpoint.process;
    this.endpoint.to(to).latest({ kind: 'latest', sender, to, actor, slot, credits, method, args });
  }

  async kill(ref: ActorRef): Promise<void> {
    const head = await this.#head();
    await head.request({ kind: 'actor.kill', actor: ref.actor });
  }

  /** A broken link says little: the head knows exit code, signal and last words. */
  async #explain(ref: ActorRef, error: unknown): Promise<unknown> {
    if (!(error instanceof LinkLostError)) return error;
    try {
      const head = await this.#head();
      const signal = AbortSignal.timeout(verdictMs);
      await head.request({ kind: 'actor.verdict', actor: ref.actor }, { signal });
    } catch (verdict) {
      if (verdict instanceof RuntimeError && verdict.code === 'E_ACTOR_DEAD') {
        return new ActorLostError(verdict.code, verdict.message, { cause: error });
      }
    }
    return new ActorLostError(error.code, error.message, { cause: error });
  }
}
