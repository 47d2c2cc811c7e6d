/** Calls to other actors, host to host, over this process's endpoint. The head is asked only why an actor died. */

import { ActorLostError, LinkLostError, RuntimeError, type RuntimeErrorCode } from '../errors.js';
import type { ActorId } from '../ids.js';
import type { ActorRef, Address } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { Peer } from '../wire/peer.js';
import type { ActorProxy } from '../wire/value.js';
import type { Outbound } from './handle.js';

/** The head usually knows within milliseconds, of a restart when it is done; after this the caller hears of the link. */
const verdictMs = 30_000;

export class EndpointOutbound implements Outbound {
  readonly endpoint: Endpoint;
  readonly #head: () => Promise<Peer>;
  /** Where restarted actors are now. */
  readonly #moved = new Map<ActorId, Address>();

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
    const body = { kind: 'call', actor: ref.actor, method, args, stream: false } as const;
    for (let lost = 0; ; ) {
      const address = this.#addressOf(ref);
      try {
        return await this.endpoint.to(address).request(body, signal ? { signal } : {});
      } catch (error) {
        if (!(error instanceof LinkLostError)) throw error;
        await this.#follow(ref, address, error, signal);
        // What never left can be sent again; what was under way may have run.
        if (error.code === 'E_UNREACHABLE') continue;
        if (ref.taskRetries >= 0 && lost >= ref.taskRetries) throw restarted(ref, method, error);
        lost++;
      }
    }
  }

  async *stream(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): AsyncGenerator<unknown> {
    const body = { kind: 'call', actor: ref.actor, method, args, stream: true } as const;
    while (true) {
      const address = this.#addressOf(ref);
      try {
        yield* this.endpoint.to(address).stream(body, signal ? { signal } : {});
        return;
      } catch (error) {
        if (!(error instanceof LinkLostError)) throw error;
        await this.#follow(ref, address, error, signal);
        if (error.code !== 'E_UNREACHABLE') throw restarted(ref, method, error);
      }
    }
  }

  tell(ref: ActorRef, method: string, args: readonly unknown[]): void {
    this.endpoint.to(this.#addressOf(ref)).tell({ kind: 'tell', actor: ref.actor, method, args });
  }

  latest(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    slot: string,
    credits: number,
  ): void {
    const { actor } = ref;
    const to = this.#addressOf(ref);
    const sender = this.endpoint.process;
    this.endpoint.to(to).latest({ kind: 'latest', sender, to, actor, slot, credits, method, args });
  }

  async kill(ref: ActorRef): Promise<void> {
    const head = await this.#head();
    await head.request({ kind: 'actor.kill', actor: ref.actor });
  }

  #addressOf(ref: ActorRef): Address {
    return this.#moved.get(ref.actor) ?? ref.address;
  }

  /**
   * A broken link says little: the head knows where the actor is now, or exit code, signal and last words.
   *
   * @throws ActorLostError with the cause of death, or the link's own code if the head does not know either.
   */
  async #follow(
    ref: ActorRef,
    address: Address,
    error: LinkLostError,
    signal?: AbortSignal,
  ): Promise<void> {
    try {
      const head = await this.#head();
      const patience = AbortSignal.timeout(verdictMs);
      const now = await head.request<ActorProxy>(
        { kind: 'actor.verdict', actor: ref.actor, process: address.process },
        { signal: signal ? AbortSignal.any([signal, patience]) : patience },
      );
      this.#moved.set(ref.actor, now.ref.address);
    } catch (verdict) {
      const isDeath = verdict instanceof RuntimeError && deaths.includes(verdict.code);
      const { code, message } = isDeath ? verdict : error;
      throw new ActorLostError(code, message, { cause: error });
    }
  }
}

/** With which an actor can be dead: how its process ended, or why it could not begin anew. */
const deaths: readonly RuntimeErrorCode[] = [
  'E_ACTOR_DEAD',
  'E_OUT_OF_MEMORY',
  'E_ACTOR_START',
  'E_NO_ROOM',
  'E_EXPORT',
  'E_BUNDLE',
  'E_EXTERNAL',
];

const restarted = (ref: ActorRef, method: string, cause: Error): ActorLostError =>
  new ActorLostError(
    'E_ACTOR_DEAD',
    `${ref.label} was restarted while ${method} was under way; it may or may not have run`,
    { cause, isRestarted: true },
  );
