/** The agent of one node: joins the head, starts and reaps hosts, keeps the node's bundles. */

import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type NodeId, newNodeId } from '../ids.js';
import { type Labels, requireLabels } from '../labels.js';
import type { Logger } from '../log.js';
import { AgentObserver } from '../observe/agent-observer.js';
import { type Resources, toQuantities } from '../resources.js';
import { ObjectStore } from '../store/object-store.js';
import { newStoreFolder, sweepStoreFolders } from '../store/store-folder.js';
import { Endpoint } from '../wire/endpoint.js';
import type { Gpu, Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { requireTls, type TlsOptions, tlsOf } from '../wire/tls.js';
import { ActorRunner, idleHost } from './actor-runner.js';
import { HostLinks } from './host-links.js';
import { JobRunner } from './job-runner.js';
import { Loader } from './loader.js';
import { MemoryWatch, machineOffer, type WatchedHost } from './memory-watch.js';
import { NodeRoll } from './node-roll.js';
import type { NodeSite } from './node-site.js';
import { HostPool, type HostProcess } from './pool.js';
import { UntoldSnapshots } from './untold-snapshots.js';

export interface AgentOptions {
  /** `ws://host:port` of the head. */
  readonly headUrl: string;
  readonly token: string;
  /** For a head at `wss://`; with `cert` and `key` the node's hosts show that certificate. @default {} */
  readonly tls?: TlsOptions;
  /** Unique in the cluster. @default the machine's name and a few random letters */
  readonly name?: string;
  /** What the node offers; `gpu` is the number of `gpus`, `memory` in GiB the machine's unless it is given. */
  readonly resources: Resources;
  readonly gpus: readonly Gpu[];
  /** What selectors of actors may ask for, beside `machine` (its name) and `gpu` (the model of its GPUs). @default none */
  readonly labels?: Labels;
  /** Interface on which other machines reach this node's actors. @default '127.0.0.1' */
  readonly bind?: string;
  /** Hosts kept warm. @default 1 */
  readonly prewarm?: number;
  /** Shared memory for large objects. @default 30 % of the machine's, and no more than /dev/shm has */
  readonly objectStoreBytes?: number;
  /**
   * Wait for so long, in milliseconds, for a head that was killed to be started again; actors live on meanwhile. After
   * that the node ends. Only for a head with a journal; for others the node ends at once. @default 60_000
   */
  readonly reconnectTimeoutMs?: number;
  readonly log: Logger;
}

const defaultReconnectMs = 60_000;

const beatMs = 1_000;

export class Agent implements AsyncDisposable {
  readonly id: NodeId = newNodeId();
  readonly name: string;
  /** Settles when the head is gone or has sent the node away, with the reason. */
  readonly ended: Promise<string>;
  readonly #options: AgentOptions;
  readonly #log: Logger;
  readonly #folder = mkdtempSync(join(tmpdir(), `patchbay-node-${process.pid}-`));
  readonly #storeFolder = newStoreFolder();
  readonly #endpoint: Endpoint;
  readonly #store: ObjectStore;
  readonly #loader: Loader;
  readonly #observer: AgentObserver;
  readonly #jobs: JobRunner;
  readonly #actors: ActorRunner;
  readonly #roll = new NodeRoll();
  readonly #snapshots = new UntoldSnapshots(() => this.#head);
  readonly #hosts: HostLinks;
  #head: Peer | undefined;
  #hasJoined = false;
  #isClosing = false;
  #pool: HostPool | undefined;
  #memory: MemoryWatch | undefined;
  #beats: NodeJS.Timeout | undefined;
  #end: (why: string) => void = () => undefined;

  private constructor(options: AgentOptions) {
    this.#options = options;
    this.#log = options.log;
    this.name = options.name ?? `${hostname()}-${this.id.slice(0, 4)}`;
    this.#loader = new Loader(join(this.#folder, 'bundles'), this.name);
    this.#hosts = new HostLinks(this.name);
    this.#observer = new AgentObserver({
      id: this.id,
      name: this.name,
      head: () => this.#head,
      pids: () => this.#pool?.pids ?? [],
      busy: () => this.#busyHosts().flatMap(({ pid }) => this.#hosts.get(pid) ?? []),
      store: () => this.#store.stats,
    });
    const site: NodeSite = {
      node: { id: this.id, name: this.name },
      headUrl: options.headUrl,
      pool: () => this.#pool!,
      hosts: this.#hosts,
      file: (code) => {
        return this.#loader.file(code, () => this.#head!.request({ kind: 'code.get', code }));
      },
      tellHead: (message) => {
        this.#roll.told(message);
        // What ends with its node is told by the end of the link: the head would place others here in its stead.
        if (!this.#isClosing) this.#head?.send(message);
      },
      observer: this.#observer,
    };
    this.#actors = new ActorRunner({ ...site, heldBy: (pid) => this.#memory?.lastOf(pid) });
    this.#jobs = new JobRunner({ ...site, ca: options.tls?.ca, token: options.token });
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#endpoint = new Endpoint({
      role: 'agent',
      token: options.token,
      ...tlsOf(options.headUrl, options.tls),
      events: {
        message: (peer, message) => this.#message(peer, message),
        left: (peer, why) => {
          this.#store.left(peer);
          if (peer === this.#head) this.#end(`the head is gone: ${why}`);
          else this.#loseHost(peer, why);
        },
      },
    });
    sweepStoreFolders();
    this.#store = new ObjectStore({
      endpoint: this.#endpoint,
      folder: this.#storeFolder,
      spillFolder: join(this.#folder, 'spill'),
      name: this.name,
      bytes: options.objectStoreBytes,
      warn: (text) => this.#log.warn({ node: this.name }, text),
    });
  }

  /** @throws RuntimeError `E_UNREACHABLE`, `E_TLS`, `E_TOKEN`, `E_NAME_TAKEN` or `E_OPTION`. */
  static async start(options: AgentOptions): Promise<Agent> {
    requireLabels(options.labels ?? {});
    requireTls(options.headUrl, options.tls);
    const agent = new Agent(options);
    try {
      await agent.#start();
      return agent;
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const {
      headUrl,
      token,
      resources,
      gpus,
      labels = {},
      bind = '127.0.0.1',
      prewarm = 1,
      reconnectTimeoutMs: timeoutMs = defaultReconnectMs,
    } = this.#options;
    const greeting = (): Message[] =>
      this.#hasJoined ? [...this.#snapshots.all, this.#roll.tell(this.id)] : [];
    this.#head = await this.#endpoint.connect(headUrl, { timeoutMs, greeting });
    const address = await this.#endpoint.listen({
      host: bind,
      port: 0,
      unix: join(this.#folder, 'agent.sock'),
    });
    const settings = {
      agent: address.unix,
      token,
      folder: this.#folder,
      bind,
      store: { address, node: this.name, nodeId: this.id },
      storeFolder: this.#storeFolder,
      ...tlsOf(headUrl, this.#options.tls),
    };
    this.#pool = new HostPool(settings, prewarm);
    this.#memory = new MemoryWatch({
      hosts: () => this.#watched(),
      kill: (pid, why) => {
        const found = this.#pool?.find(pid) ?? this.#jobs.find(pid);
        found?.kill(why, 'E_OUT_OF_MEMORY');
      },
    });
    await this.#head.request({
      kind: 'node.join',
      node: this.id,
      name: this.name,
      resources: toQuantities({
        ...resources,
        ...(gpus.length > 0 ? { gpu: gpus.length } : {}),
        ...(resources['memory'] === undefined ? machineOffer() : {}),
      }),
      gpus,
      labels: { machine: hostname(), ...(gpus[0] ? { gpu: gpus[0].name } : {}), ...labels },
    });
    this.#hasJoined = true;
    const lag = monitorEventLoopDelay();
    lag.enable();
    this.#beats = setInterval(() => {
      const lagMs = lag.max / 1e6;
      lag.reset();
      if (!this.#head?.linked) return;
      this.#head.send({ kind: 'node.beat', node: this.id, lagMs }, 'control');
      this.#observer.beat();
    }, beatMs);
    this.#log.info({ node: this.name, head: headUrl }, 'node joined');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#beats);
    this.#memory?.stop();
    await Promise.all([this.#actors.close(), this.#jobs.close()]);
    await this.#pool?.close();
    this.#observer.stop();
    await this.#endpoint.close('the node stops');
    this.#store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #message(peer: Peer, message: Message): void {
    if (this.#store.serve(peer, message) || this.#observer.serve(peer, message)) return;
    switch (message.kind) {
      case 'actor.start':
        if (this.#isClosing) return;
        this.#roll.begins(message);
        this.#snapshots.forget(message.actor);
        void this.#actors.start(message);
        return;
      case 'actor.stop':
        void this.#actors.stop(message.actor);
        return;
      case 'job.start':
        if (this.#isClosing) return;
        this.#roll.jobBegins(message);
        this.#jobs.start(message);
        return;
      case 'job.stop':
        this.#jobs.stop(message.job);
        return;
      case 'node.stop':
        this.#end(message.why);
        return;
      case 'actor.snapshot':
        this.#snapshots.tell(message);
        return;
      case 'host.ready':
        this.#hosts.ready(message.pid, peer);
        return;
      default:
        this.#log.warn({ kind: message.kind, peer: peer.name }, 'unexpected message');
    }
  }

  #busyHosts(): readonly HostProcess[] {
    return [...this.#actors.hosts, ...this.#jobs.hosts];
  }

  /** Its process may live, stopped or out of its mind. */
  #loseHost(peer: Peer, why: string): void {
    const pid = this.#hosts.left(peer);
    if (pid !== undefined) this.#pool?.lost(pid, why);
  }

  /** All hosts and commands of jobs, with what they were given. */
  #watched(): readonly WatchedHost[] {
    const known = new Map(
      [...this.#actors.watched, ...this.#jobs.watched].map((watched) => [watched.pid, watched]),
    );
    const hosts = (this.#pool?.pids ?? []).map((pid) => known.get(pid) ?? idleHost(pid));
    return [...hosts, ...this.#jobs.commands];
  }
}
