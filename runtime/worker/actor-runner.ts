/** Runs the actors of a node, each in a host: starts them, ends them, and tells the head how they ended. */

import { RuntimeError, toWireError, type WireError } from '../errors.js';
import type { ActorId } from '../ids.js';
import type { HostTrace } from '../observe/reports.js';
import { type Quantities, toResources } from '../resources.js';
import type { ActorSpec } from '../wire/actor-spec.js';
import type { Address } from '../wire/address.js';
import type { MessageOf } from '../wire/messages.js';
import { type GroupExit, inWords } from './group-process.js';
import { inGib, type WatchedHost } from './memory-watch.js';
import type { NodeSite } from './node-site.js';
import type { HostProcess } from './pool.js';

export interface ActorSite extends NodeSite {
  /** Memory of a host when it was last looked at, in bytes. */
  readonly heldBy: (pid: number) => number | undefined;
}

interface RunningActor {
  readonly host: HostProcess;
  readonly label: string;
  readonly spec: ActorSpec;
  /** When it began, by `performance.now`. */
  readonly since: number;
  stopping: boolean;
}

/** An actor's dispose hook may take this long. */
const disposeMs = 5_000;
/** An idle host answers at once. */
const restMs = 1_000;

export class ActorRunner {
  readonly #site: ActorSite;
  readonly #actors = new Map<ActorId, RunningActor>();
  readonly #followed = new WeakSet<HostProcess>();

  constructor(site: ActorSite) {
    this.#site = site;
  }

  get hosts(): readonly HostProcess[] {
    return [...this.#actors.values()].map(({ host }) => host);
  }

  /** The same, for the watch over the node's memory. */
  get watched(): readonly WatchedHost[] {
    return [...this.#actors.values()].map(({ host: { pid }, spec, since }) => {
      const isRetriable = spec.exportName === '' || (spec.maxRestarts ?? 0) !== 0;
      const limitBytes = limitOf(spec.resources);
      return { pid, limitBytes, role: isRetriable ? 'retriable' : 'unique', since };
    });
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#actors.keys()].map((actor) => this.stop(actor)));
  }

  async start(message: MessageOf<'actor.start'>): Promise<void> {
    const { actor, label, spec, gpus, snapshot } = message;
    const { node, headUrl, tellHead } = this.#site;
    let host: HostProcess;
    try {
      host = this.#site.pool().take(gpus, spec.reusable ? spec.code : undefined);
    } catch (error) {
      this.#report(actor, toWireError(error));
      return;
    }
    const since = performance.now();
    const running: RunningActor = { host, label, spec, since, stopping: false };
    host.onOutput = this.#site.observer.begins(actor, label);
    this.#actors.set(actor, running);
    this.#follow(host);
    try {
      const [peer, file] = await Promise.all([
        this.#site.hosts.of(host),
        this.#site.file(spec.code),
      ]);
      const address = await peer.request<Address>({
        kind: 'host.start',
        actor,
        spec,
        snapshot,
        file,
        label,
        node: node.id,
        nodeName: node.name,
        headUrl,
      });
      tellHead({ kind: 'actor.alive', actor, address });
    } catch (error) {
      await this.#failStart(actor, running, error);
    }
  }

  /** Once for each host, however many task workers it serves one after the other. */
  #follow(host: HostProcess): void {
    if (this.#followed.has(host)) return;
    this.#followed.add(host);
    void host.exited.then((exit) => {
      for (const [actor, running] of this.#actors) {
        if (running.host === host) void this.#exited(actor, running, exit);
      }
    });
  }

  /** The error of a failed start says more than the exit of the host that follows. */
  async #failStart(actor: ActorId, running: RunningActor, error: unknown): Promise<void> {
    const lost = error instanceof RuntimeError && error.code === 'E_PEER_LOST';
    if (!lost && this.#actors.delete(actor)) this.#report(actor, toWireError(error));
    await running.host.end();
    this.#site.observer.exited(actor);
  }

  async stop(actor: ActorId): Promise<void> {
    const running = this.#actors.get(actor);
    if (!running || running.stopping) return;
    running.stopping = true;
    if (running.spec.reusable && (await this.#rest(actor, running))) return;
    const peer = this.#site.hosts.get(running.host.pid);
    const signal = AbortSignal.timeout(disposeMs);
    // A hook that fails or is too slow has had its chance: the process goes anyway.
    const asked = peer?.request<HostTrace>({ kind: 'host.stop' }, { signal });
    this.#site.observer.keep(await asked?.catch(() => undefined));
    await running.host.end();
  }

  /** Whether a task worker's process stays for the next one. */
  async #rest(actor: ActorId, running: RunningActor): Promise<boolean> {
    const peer = this.#site.hosts.get(running.host.pid);
    const signal = AbortSignal.timeout(restMs);
    const trace = await peer
      ?.request<HostTrace | null>({ kind: 'host.rest' }, { signal })
      .catch(() => null);
    if (!trace || !this.#actors.delete(actor)) return false;
    this.#site.observer.keep(trace);
    this.#site.observer.exited(actor);
    // Until its next lease it belongs to nobody who could be told.
    running.host.onOutput = () => undefined;
    this.#site.pool().keep(running.spec.code, running.host);
    const text = `${running.label} was stopped`;
    this.#report(actor, toWireError(new RuntimeError('E_ACTOR_DEAD', text)));
    return true;
  }

  async #exited(actor: ActorId, running: RunningActor, exit: GroupExit): Promise<void> {
    this.#site.observer.exited(actor);
    const bytes = this.#site.heldBy(running.host.pid);
    // A snapshot may be among its last words.
    await this.#site.hosts.drained(running.host.pid);
    if (!this.#actors.delete(actor)) return;
    const { label, stopping } = running;
    const words = inWords(exit, bytes === undefined ? undefined : inGib(bytes));
    const text = stopping
      ? `${label} was stopped`
      : `${label} on node ${this.#site.node.name} ${words}`;
    const code = exit.killed?.code ?? 'E_ACTOR_DEAD';
    this.#report(actor, toWireError(new RuntimeError(code, text)));
  }

  #report(actor: ActorId, cause: WireError): void {
    this.#site.tellHead({ kind: 'actor.exited', actor, cause });
  }
}

/** What may be held of memory, in bytes; undefined if none was given. */
export function limitOf(resources: Quantities): number | undefined {
  const gib = toResources(resources)['memory'];
  return gib === undefined ? undefined : gib * 1024 ** 3;
}

/** A host without an actor. */
export const idleHost = (pid: number): WatchedHost => ({
  pid,
  limitBytes: undefined,
  role: 'idle',
  since: 0,
});
