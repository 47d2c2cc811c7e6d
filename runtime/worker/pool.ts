/**
 * Host processes, some started ahead of need: a warm host turns a new actor from a third of a second into
 * milliseconds. Each host leads a process group of its own, so that ending it ends whatever it started.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RuntimeError } from '../errors.js';
import type { CodeId } from '../ids.js';
import type { Output } from '../observe/reports.js';
import { Guard } from './guard.js';
import { LoadedHosts } from './loaded-hosts.js';

/** Lines of stderr kept for the death notice. */
const tailLines = 20;
/** From asking a host to end until it is killed. */
const graceMs = 2_000;
/** A process that left the host's group may hold its pipes open; its last words are not waited for any longer. */
const drainMs = 500;
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
}

export interface HostExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderrTail: readonly string[];
  /** Why the agent itself killed it, if it did. */
  readonly killed: Kill | undefined;
}

export interface Kill {
  readonly why: string;
  readonly code: 'E_ACTOR_DEAD' | 'E_OUT_OF_MEMORY';
}

/**
 * V8 collects garbage on four threads more unless it is told otherwise. An actor holds as many processors as it was given,
 * and those threads would take them from its neighbours.
 */
const nodeFlags = ['--single-threaded-gc', '--enable-source-maps'];

export class HostProcess {
  readonly pid: number;
  readonly exited: Promise<HostExit>;
  /** Takes what the process prints. What it prints before it has an actor is told only if it dies of it. */
  onOutput: (stream: Output, text: string) => void = () => undefined;
  readonly #child: ChildProcess;
  readonly #tail: string[] = [];
  #killed: Kill | undefined;

  constructor(settings: HostSettings, env: Readonly<Record<string, string>>) {
    const entry = fileURLToPath(new URL('./host-main.js', import.meta.url));
    this.#child = spawn(process.execPath, [...nodeFlags, entry], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...env,
        PATCHBAY_HOST: JSON.stringify({
          agent: settings.agent,
          folder: settings.folder,
          bind: settings.bind,
        }),
        PATCHBAY_TOKEN: settings.token,
      },
    });
    const { pid } = this.#child;
    this.#child.on('error', () => undefined);
    if (pid === undefined) throw new RuntimeError('E_ACTOR_START', 'cannot start a host process');
    this.pid = pid;
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.onOutput('stdout', text);
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.onOutput('stderr', text);
      this.#tail.push(...text.split('\n').filter((line) => line.trim() !== ''));
      this.#tail.splice(0, this.#tail.length - tailLines);
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        // What it started must not outlive it.
        this.#signal('SIGKILL');
        const done = (): void => {
          clearTimeout(timer);
          resolve({ code, signal, stderrTail: this.#tail, killed: this.#killed });
        };
        const timer = setTimeout(() => {
          this.#child.stdout?.destroy();
          this.#child.stderr?.destroy();
          done();
        }, drainMs);
        this.#child.once('close', done);
      });
    });
  }

  /** At once, because of `why`. */
  kill(why: string, code: Kill['code'] = 'E_ACTOR_DEAD'): void {
    this.#killed ??= { why, code };
    this.#signal('SIGKILL');
  }

  /** SIGTERM, and SIGKILL if that does not help. */
  async end(): Promise<void> {
    this.#signal('SIGTERM');
    const timer = setTimeout(() => this.#signal('SIGKILL'), graceMs);
    await this.exited;
    clearTimeout(timer);
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The whole group is gone already.
    }
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
    this.#guard = new Guard(settings.folder);
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
    this.#guard.started(host.pid);
    void host.exited.then(() => {
      this.#all.delete(host.pid);
      this.#guard.ended(host.pid);
      const place = this.#idle.indexOf(host);
      if (place >= 0) this.#idle.splice(place, 1);
      this.#loaded.forget(host);
    });
    return host;
  }
}

/** Actors without a GPU must not see one. */
const noGpu = { CUDA_VISIBLE_DEVICES: '' };

/** @param held Its memory when it was last looked at: `0.25 GiB`. */
export function inWords({ code, signal, stderrTail, killed }: HostExit, held?: string): string {
  const ended = signal ? `died of ${signal}` : `ended with exit code ${code}`;
  const memory = held ? ` (it held ${held} of memory)` : '';
  const how = killed ? `was killed: ${killed.why}` : `${ended}${memory}`;
  const tail = stderrTail.length > 0 ? `; its last words:\n  ${stderrTail.join('\n  ')}` : '';
  return `${how}${tail}`;
}
