/**
 * Host processes, some started ahead of need: a warm host turns a new actor from a third of a second into
 * milliseconds. Each host leads a process group of its own, so that ending it ends whatever it started.
 */

import { fileURLToPath } from 'node:url';
import { RuntimeError } from '../errors.js';
import type { CodeId } from '../ids.js';
import type { HomeStore } from '../object/shared-values.js';
import type { TlsOptions } from '../wire/tls.js';
import { GroupProcess } from './group-process.js';
import { Guard } from './guard.js';
import { LoadedHosts } from './loaded-hosts.js';

/** From losing the link to a host until it is killed, if it has not told by then how it ended. */
const lostMs = 1_000;

export interface HostSettings {
  /** Unix socket of the agent. */
  readonly agent: string;
  readonly token: string;
  /** Folder for the host's own socket. */
  readonly folder: string;
  /** Interface on which other machines reach the host. */
  readonly bind: string;
  readonly store: HomeStore;
  /** The node's shared memory: what is left of it goes with the agent. */
  readonly storeFolder: string;
  /** Present if links over TCP are encrypted. */
  readonly tls?: TlsOptions;
}

/**
 * V8 collects garbage on four threads more unless it is told otherwise. An actor holds as many processors as it was given,
 * and those threads would take them from its neighbours.
 */
const nodeFlags = ['--single-threaded-gc', '--enable-source-maps'];

export class HostProcess extends GroupProcess {
  constructor(settings: HostSettings, env: Readonly<Record<string, string>>) {
    const entry = fileURLToPath(new URL('./host-main.js', import.meta.url));
    super(process.execPath, [...nodeFlags, entry], {
      env: {
        ...env,
        PATCHBAY_HOST: JSON.stringify({
          agent: settings.agent,
          folder: settings.folder,
          bind: settings.bind,
          store: settings.store,
          tls: settings.tls,
        }),
        PATCHBAY_TOKEN: settings.token,
      },
    });
  }
}

export class HostPool {
  readonly #settings: HostSettings;
  readonly #size: number;
  readonly #guard: Guard;
  readonly #idle: HostProcess[] = [];
  readonly #loaded = new LoadedHosts<HostProcess>();
  readonly #all = new Map<number, HostProcess>();
  #closed = false;

  /** @param size Hosts kept warm. */
  constructor(settings: HostSettings, size: number) {
    this.#settings = settings;
    this.#size = size;
    this.#guard = new Guard([settings.folder, settings.storeFolder]);
    this.#fill();
  }

  /** Of all hosts that live. */
  get pids(): readonly number[] {
    return [...this.#all.keys()];
  }

  /**
   * A host for one actor; with GPUs it is started anew, because they must be known before the process starts.
   *
   * @param code One that has this module loaded, if there is any.
   */
  take(gpus: readonly string[], code?: CodeId): HostProcess {
    if (gpus.length > 0) return this.#start({ CUDA_VISIBLE_DEVICES: gpus.join(',') });
    const loaded = code === undefined ? undefined : this.#loaded.take(code);
    if (loaded) return loaded;
    const host = this.#idle.shift() ?? this.#start(noGpu);
    setImmediate(() => this.#fill());
    return host;
  }

  /** An idle host with a module loaded waits a while for the next task of that module. */
  keep(code: CodeId, host: HostProcess): void {
    if (this.#closed) void host.end();
    else this.#loaded.keep(code, host);
  }

  /** A host whose link is gone has ended, or is about to, or is of no use to anybody. */
  lost(pid: number, why: string): void {
    const host = this.#all.get(pid);
    if (!host) return;
    const timer = setTimeout(() => host.kill(why), lostMs);
    void host.exited.then(() => clearTimeout(timer));
  }

  /** A host that lives, by its process id. */
  find(pid: number): HostProcess | undefined {
    return this.#all.get(pid);
  }

  /** A process that is no host of this pool, to be ended if the agent is killed. */
  watchOver(child: GroupProcess): void {
    this.#guard.started(child.pid);
    void child.exited.then(() => this.#guard.ended(child.pid));
  }

  /** Ends all hosts and removes their folder. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all.values()].map((host) => host.end()));
    await this.#guard.dismiss();
  }

  #fill(): void {
    while (!this.#closed && this.#idle.length < this.#size) this.#idle.push(this.#start(noGpu));
  }

  #start(env: Readonly<Record<string, string>>): HostProcess {
    if (this.#closed) throw new RuntimeError('E_CLOSED', 'the node stops');
    const host = new HostProcess(this.#settings, env);
    this.#all.set(host.pid, host);
    this.watchOver(host);
    void host.exited.then(() => {
      this.#all.delete(host.pid);
      const place = this.#idle.indexOf(host);
      if (place >= 0) this.#idle.splice(place, 1);
      this.#loaded.forget(host);
    });
    return host;
  }
}

/** Actors without a GPU must not see one. */
const noGpu = { CUDA_VISIBLE_DEVICES: '' };
