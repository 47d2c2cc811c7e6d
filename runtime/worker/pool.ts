/**
 * Host processes, some started ahead of need: a warm host turns a new actor from a third of a second into
 * milliseconds. Each host leads a process group of its own, so that ending it ends whatever it started.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RuntimeError } from '../errors.js';

/** Lines of stderr kept for the death notice. */
const tailLines = 20;
/** From asking a host to end until it is killed. */
const graceMs = 2_000;

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
}

export class HostProcess {
  readonly pid: number;
  readonly exited: Promise<HostExit>;
  readonly #child: ChildProcess;
  readonly #tail: string[] = [];

  constructor(settings: HostSettings, env: Readonly<Record<string, string>>) {
    const entry = fileURLToPath(new URL('./host-main.js', import.meta.url));
    this.#child = spawn(process.execPath, ['--enable-source-maps', entry], {
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
    if (pid === undefined) throw new RuntimeError('E_ACTOR_START', 'cannot start a host process');
    this.pid = pid;
    this.#child.stdout?.pipe(process.stdout, { end: false });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      process.stderr.write(text);
      this.#tail.push(...text.split('\n').filter((line) => line.trim() !== ''));
      this.#tail.splice(0, this.#tail.length - tailLines);
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        resolve({ code, signal, stderrTail: this.#tail });
      });
    });
  }

  kill(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The whole group is gone already.
    }
  }

  /** SIGTERM, and SIGKILL if that does not help. */
  async end(): Promise<void> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), graceMs);
    await this.exited;
    clearTimeout(timer);
    this.kill('SIGKILL');
  }
}

export class HostPool {
  readonly #settings: HostSettings;
  readonly #size: number;
  readonly #idle: HostProcess[] = [];
  readonly #all = new Set<HostProcess>();
  #closed = false;

  /** @param size Hosts kept warm. */
  constructor(settings: HostSettings, size: number) {
    this.#settings = settings;
    this.#size = size;
    this.#fill();
  }

  /** A host for one actor; with GPUs it is started anew, because they must be known before the process starts. */
  take(gpus: readonly string[]): HostProcess {
    if (gpus.length > 0) return this.#start({ CUDA_VISIBLE_DEVICES: gpus.join(',') });
    const host = this.#idle.shift() ?? this.#start(noGpu);
    setImmediate(() => this.#fill());
    return host;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((host) => host.end()));
  }

  #fill(): void {
    while (!this.#closed && this.#idle.length < this.#size) this.#idle.push(this.#start(noGpu));
  }

  #start(env: Readonly<Record<string, string>>): HostProcess {
    const host = new HostProcess(this.#settings, env);
    this.#all.add(host);
    void host.exited.then(() => {
      this.#all.delete(host);
      const place = this.#idle.indexOf(host);
      if (place >= 0) this.#idle.splice(place, 1);
    });
    return host;
  }
}

/** Actors without a GPU must not see one. */
const noGpu = { CUDA_VISIBLE_DEVICES: '' };
