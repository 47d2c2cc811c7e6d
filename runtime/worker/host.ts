/**
 * A host: the process in which one actor lives. Links, queues and beats stay on this thread; an actor whose methods
 * block runs on a thread of its own, and calls are handed to it.
 */

import { join } from 'node:path';
import { makeHandle } from '../actor/handle.js';
import { EndpointOutbound } from '../actor/outbound.js';
import { ClusterClient } from '../client/cluster-client.js';
import { RuntimeError, toWireError } from '../errors.js';
import { Objects } from '../object/objects.js';
import type { HomeStore } from '../object/shared-values.js';
import { HostWatch } from '../observe/host-watch.js';
import type { HostTrace } from '../observe/reports.js';
import { SharedLending } from '../store/shared-lending.js';
import { type Address, ObjectLocator } from '../wire/address.js';
import { Endpoint } from '../wire/endpoint.js';
import type { Message, MessageOf } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import type { TlsOptions } from '../wire/tls.js';
import type { Revive } from '../wire/value.js';
import { type HostedActor, openActor } from './hosted-actor.js';

export interface HostOptions {
  /** Unix socket of the agent. */
  readonly agent: string;
  readonly folder: string;
  readonly bind: string;
  readonly token: string;
  /** The store of this node. */
  readonly store: HomeStore;
  /** Present if links over TCP are encrypted. */
  readonly tls?: TlsOptions;
}

export class Host {
  readonly #endpoint: Endpoint;
  readonly #outbound: EndpointOutbound;
  readonly #objects: Objects;
  readonly #agent: Promise<Peer>;
  readonly #watch: HostWatch;
  readonly #onOrphan: () => void;
  #head: Promise<Peer> | undefined;
  /** What it has told the head last, by kind: a head that was restarted may have missed it. */
  readonly #told = new Map<Message['kind'], Message>();
  #headUrl = '';
  #namespace: string | undefined;
  #ownClient: ClusterClient | undefined;
  #actor: HostedActor | undefined;

  /** @param onOrphan Called when the agent is gone: nobody would reap this process. */
  constructor(options: HostOptions, onOrphan: () => void) {
    this.#onOrphan = onOrphan;
    this.#endpoint = new Endpoint({
      role: 'host',
      token: options.token,
      ...(options.tls ? { tls: options.tls } : {}),
      revive: () => this.#revive,
      lending: (own) => new SharedLending(own),
      events: {
        message: (peer, message) => this.#message(peer, message),
        latest: (peer, message, frame) => this.#latest(peer, message, frame),
        left: (peer) => {
          this.#actor?.executor.forget(peer);
          this.#watch.left(peer);
          void this.#agent.then((agent) => agent === peer && onOrphan());
        },
      },
    });
    this.#watch = new HostWatch(this.#endpoint);
    this.#objects = new Objects({
      endpoint: this.#endpoint,
      home: () => options.store,
      revive: this.#revive,
      waits: waitCounter((waiting) => this.#tellWaiting(waiting)),
      alsoCollect: () => this.#actor?.living.collect?.(),
    });
    this.#outbound = new EndpointOutbound(this.#endpoint, () => this.#headPeer());
    this.#agent = this.#report(options);
    this.#agent.catch(onOrphan);
  }

  async #report({ agent, folder, bind }: HostOptions): Promise<Peer> {
    const unix = join(folder, `host-${process.pid}.sock`);
    await this.#endpoint.listen({ host: bind, port: 0, unix });
    const peer = await this.#endpoint.connect(`ws+unix://${agent}:/`);
    peer.send({ kind: 'host.ready', pid: process.pid });
    this.#watch.reportTo(peer);
    return peer;
  }

  readonly #revive: Revive = (ref) =>
    ref instanceof ObjectLocator ? this.#objects.borrow(ref) : makeHandle(ref, this.#outbound);

  #message(peer: Peer, message: Message): void {
    if (this.#objects.serve(peer, message)) return;
    switch (message.kind) {
      case 'host.start':
        void this.#answer(peer, message.id, () => this.#start(message));
        return;
      case 'host.rest':
        peer.send({ kind: 'reply', id: message.id, value: this.#rest() });
        return;
      case 'host.stop':
        void this.#answer(peer, message.id, () => this.#stop());
        return;
      case 'tasks.list':
        void this.#answer(peer, message.id, async () =>
          this.#watch.runs(this.#actor?.ref, message.limit),
        );
        return;
      case 'trace.get':
        void this.#answer(peer, message.id, async () => this.#watch.trace(this.#actor?.ref));
        return;
      case 'job.over':
        // Nobody is left to whom this process could be of use.
        this.#onOrphan();
        return;
      case 'call':
      case 'tell':
      case 'cancel':
      case 'stream.credit':
        if ('actor' in message && message.actor !== this.#actor?.ref.actor) {
          const error = new RuntimeError('E_ACTOR_DEAD', `actor ${message.actor} is not here`);
          if ('id' in message)
            peer.send({ kind: 'error', id: message.id, error: toWireError(error) });
          return;
        }
        this.#actor?.executor.receive(peer, message);
        return;
      default:
        console.error(`host: unexpected ${message.kind} from ${peer.name}`);
    }
  }

  #latest(peer: Peer, message: MessageOf<'latest'>, frame: Uint8Array<ArrayBuffer>): void {
    const here = this.#actor;
    if (message.actor !== here?.ref.actor) return;
    if (here.living.latest) here.living.latest(frame);
    else here.executor.receive(peer, message);
  }

  async #start(message: MessageOf<'host.start'>): Promise<Address> {
    const { spec, headUrl } = message;
    this.#headUrl = headUrl;
    // A process that served another module before may have a client of another namespace.
    if (this.#namespace !== spec.namespace) this.#ownClient = undefined;
    this.#namespace = spec.namespace;
    this.#actor = await openActor(message, {
      endpoint: this.#endpoint,
      outbound: this.#outbound,
      objects: this.#objects,
      revive: this.#revive,
      watch: this.#watch,
      client: () => this.#client,
      // By the agent, which reads it before it tells of this process's end.
      keepSnapshot: (snapshot) => void this.#agent.then((agent) => agent.send(snapshot)),
      note: (note) => this.#tellHead(note),
      exit: (here) => this.#exit(here),
    });
    return this.#endpoint.address;
  }

  /** The actor's own access to the cluster. */
  get #client(): ClusterClient {
    this.#ownClient ??= new ClusterClient({
      head: () => this.#headPeer(),
      outbound: this.#outbound,
      objects: this.#objects,
      ...(this.#namespace === undefined ? {} : { namespace: this.#namespace }),
    });
    return this.#ownClient;
  }

  /** A task that waits for others tells the head, which lends its processors out. */
  #tellWaiting(waiting: boolean): void {
    const actor = this.#actor?.ref.actor;
    if (actor) this.#tellHead({ kind: 'actor.waiting', actor, waiting });
  }

  /** A head that is gone has no use for it. */
  #tellHead(message: Message): void {
    this.#told.set(message.kind, message);
    this.#headPeer().then(
      (head) => head.send(message),
      () => undefined,
    );
  }

  /** What runs is answered first. Without a head to ask there is nobody to be an actor for. */
  #exit({ executor, ref }: HostedActor): void {
    executor
      .drain()
      .then(() => this.#outbound.kill(ref))
      .catch(this.#onOrphan);
  }

  /** The task worker's lease is over; an idle process may serve another of the same module. */
  #rest(): HostTrace | null {
    const here = this.#actor;
    if (!here?.executor.isIdle) return null;
    here.executor.stop();
    this.#watch.report();
    this.#actor = undefined;
    this.#told.clear();
    return this.#watch.handOver(here.ref) ?? null;
  }

  /** Answers what has run here, for nobody can ask any more. */
  async #stop(): Promise<HostTrace | undefined> {
    this.#actor?.executor.stop();
    this.#watch.report();
    await this.#actor?.living.dispose();
    return this.#watch.trace(this.#actor?.ref);
  }

  #headPeer(): Promise<Peer> {
    // For as long as the agent does: this process ends with it.
    const timeoutMs = Number.POSITIVE_INFINITY;
    this.#head ??= this.#endpoint.connect(this.#headUrl, {
      timeoutMs,
      isExpected: true,
      greeting: () => [...this.#told.values()],
    });
    this.#head.catch(() => {
      this.#head = undefined;
    });
    return this.#head;
  }

  async #answer(peer: Peer, id: number, body: () => Promise<unknown>): Promise<void> {
    try {
      peer.send({ kind: 'reply', id, value: (await body()) ?? null });
    } catch (error) {
      peer.send({ kind: 'error', id, error: toWireError(error) });
    }
  }
}

/** Tells when the first of several begins to wait, and when the last one is done. */
function waitCounter(tell: (waiting: boolean) => void): () => () => void {
  let waiting = 0;
  return () => {
    if (waiting++ === 0) tell(true);
    return () => {
      if (--waiting === 0) tell(false);
    };
  };
}
