/** The agent of one node: joins the head, starts and reaps hosts, keeps the node's bundles. */

import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { RuntimeError, toWireError, type WireError } from '../errors.js';
import { type ActorId, type CodeId, type NodeId, newNodeId } from '../ids.js';
import { type Labels, requireLabels } from '../labels.js';
import type { Logger } from '../log.js';
import { AgentObserver } from '../observe/agent-observer.js';
import type { HostTrace } from '../observe/reports.js';
import { type Resources, toQuantities } from '../resources.js';
import { ObjectStore } from '../store/object-store.js';
import { newStoreFolder, sweepStoreFolders } from '../store/store-folder.js';
import type { Address } from '../wire/address.js';
import { Endpoint } from '../wire/endpoint.js';
import type { Gpu, Message, MessageOf } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { requireTls, type TlsOptions, tlsOf } from '../wire/tls.js';
import { type GroupExit, inWords } from './group-process.js';
import { HostLinks } from './host-links.js';
import { JobRunner } from './job-runner.js';
import { Loader } from './loader.js';
import { inGib, MemoryWatch, machineOffer, type WatchedHost } from './memory-watch.js';
import { NodeRoll } from './node-roll.js';
import { HostPool, type HostProcess } from './pool.js';
import { type RunningActor, watchedHost } from './running-actor.js';

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

export const defaultReconnectMs = 60_000;

const beatMs = 1_000;
/** An actor's dispose hook may take this long. */
const disposeMs = 5_000;
/** An idle host answers at once. */
const restMs = 1_000;

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
  readonly #actors = new Map<ActorId, RunningActor>();
  readonly #roll = new NodeRoll();
  readonly #hosts: HostLinks;
  #head: Peer | undefined;
  #hasJoined = false;
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
    this.#jobs = new JobRunner({
      node: { id: this.id, name: this.name },
      headUrl: options.headUrl,
      ca: options.tls?.ca,
      token: options.token,
      pool: () => this.#pool!,
      peerOf: (host) => this.#hosts.of(host),
      file: (code) => this.#fileOf(code),
      tellHead: (message) => {
        this.#roll.ofJob(message);
        this.#head?.send(message);
      },
      observer: this.#observer,
    });
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
    const greeting = (): Message[] => (this.#hasJoined ? [this.#roll.tell(this.id)] : []);
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
      store: { address, node: this.name },
      storeFolder: this.#storeFolder,
      ...tlsOf(headUrl, this.#options.tls),
    };
    this.#pool = new HostPool(settings, prewarm);
    this.#memory = new MemoryWatch({
      hosts: () => this.#watched(),
      kill: (pid, why) => this.#pool?.find(pid)?.kill(why, 'E_OUT_OF_MEMORY'),
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
    clearInterval(this.#beats);
    this.#memory?.stop();
    const stopping = [...this.#actors.keys()].map((actor) => this.#stop(actor));
    await Promise.all([...stopping, this.#jobs.close()]);
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
        void this.#startActor(message);
        return;
      case 'actor.stop':
        void this.#stop(message.actor);
        return;
      case 'job.start':
        this.#roll.jobBegins(message.job);
        this.#jobs.start(message);
        return;
      case 'job.stop':
        this.#jobs.stop(message.job);
        return;
      case 'node.stop':
        this.#end(message.why);
        return;
      case 'actor.snapshot':
        this.#head?.send(message);
        return;
      case 'host.ready':
        this.#hosts.ready(message.pid, peer);
        return;
      default:
        this.#log.warn({ kind: message.kind, peer: peer.name }, 'unexpected message');
    }
  }

  async #startActor(message: MessageOf<'actor.start'>): Promise<void> {
    const { actor, label, spec, gpus, snapshot } = message;
    this.#roll.begins(message);
    let host: HostProcess;
    try {
      host = this.#pool!.take(gpus, spec.reusable ? spec.code : undefined);
    } catch (error) {
      this.#report(actor, toWireError(error));
      return;
    }
    const since = performance.now();
    const running: RunningActor = { host, label, spec, since, stopping: false };
    host.onOutput = this.#observer.begins(actor, label);
    this.#actors.set(actor, running);
    void host.exited.then((exit) => this.#exited(actor, running, exit));
    try {
      const [peer, file] = await Promise.all([this.#hosts.of(host), this.#fileOf(spec.code)]);
      const address = await peer.request<Address>({
        kind: 'host.start',
        actor,
        spec,
        snapshot,
        file,
        label,
        node: this.id,
        nodeName: this.name,
        headUrl: this.#options.headUrl,
      });
      this.#roll.isUp(actor, address);
      this.#head?.send({ kind: 'actor.alive', actor, address });
    } catch (error) {
      await this.#failStart(actor, running, error);
    }
  }

  /** The error of a failed start says more than the exit of the host that follows. */
  async #failStart(actor: ActorId, running: RunningActor, error: unknown): Promise<void> {
    const lost = error instanceof RuntimeError && error.code === 'E_PEER_LOST';
    if (!lost && this.#actors.delete(actor)) this.#report(actor, toWireError(error));
    await running.host.end();
  }

  async #stop(actor: ActorId): Promise<void> {
    const running = this.#actors.get(actor);
    if (!running || running.stopping) return;
    running.stopping = true;
    if (running.spec.reusable && (await this.#rest(actor, running))) return;
    const peer = this.#hosts.get(running.host.pid);
    const signal = AbortSignal.timeout(disposeMs);
    // A hook that fails or is too slow has had its chance: the process goes anyway.
    const asked = peer?.request<HostTrace>({ kind: 'host.stop' }, { signal });
    this.#observer.keep(await asked?.catch(() => undefined));
    await running.host.end();
  }

  /** Whether a task worker's process stays for the next one. */
  async #rest(actor: ActorId, running: RunningActor): Promise<boolean> {
    const peer = this.#hosts.get(running.host.pid);
    const signal = AbortSignal.timeout(restMs);
    const trace = await peer
      ?.request<HostTrace | null>({ kind: 'host.rest' }, { signal })
      .catch(() => null);
    if (!trace || !this.#actors.delete(actor)) return false;
    this.#observer.keep(trace);
    this.#observer.exited(actor);
    this.#pool?.keep(running.spec.code, running.host);
    const text = `${running.label} was stopped`;
    this.#report(actor, toWireError(new RuntimeError('E_ACTOR_DEAD', text)));
    return true;
  }

  #fileOf(code: CodeId): Promise<string> {
    return this.#loader.file(code, () => this.#head!.request({ kind: 'code.get', code }));
  }

  #busyHosts(): readonly HostProcess[] {
    return [...[...this.#actors.values()].map(({ host }) => host), ...this.#jobs.hosts];
  }

  /** Its process may live, stopped or out of its mind. */
  #loseHost(peer: Peer, why: string): void {
    const pid = this.#hosts.left(peer);
    if (pid !== undefined) this.#pool?.lost(pid, why);
  }

  async #exited(actor: ActorId, running: RunningActor, exit: GroupExit): Promise<void> {
    this.#observer.exited(actor);
    // A snapshot may be among its last words.
    await this.#hosts.drained(running.host.pid);
    if (!this.#actors.delete(actor)) return;
    const { label, stopping } = running;
    const bytes = this.#memory?.lastOf(running.host.pid);
    const words = inWords(exit, bytes === undefined ? undefined : inGib(bytes));
    const text = stopping ? `${label} was stopped` : `${label} on node ${this.name} ${words}`;
    const code = exit.killed?.code ?? 'E_ACTOR_DEAD';
    this.#report(actor, toWireError(new RuntimeError(code, text)));
  }

  /** All hosts, with what their actors were given. */
  #watched(): readonly WatchedHost[] {
    const busy = new Map([...this.#actors.values()].map((running) => [running.host.pid, running]));
    const ofJobs = new Map(this.#jobs.watched.map((watched) => [watched.pid, watched]));
    return (this.#pool?.pids ?? []).map(
      (pid) => ofJobs.get(pid) ?? watchedHost(pid, busy.get(pid)),
    );
  }

  #report(actor: ActorId, cause: WireError): void {
    this.#log.info({ actor, cause: cause.message }, 'actor ended');
    this.#roll.ended(actor, cause);
    this.#head?.send({ kind: 'actor.exited', actor, cause });
  }
}
