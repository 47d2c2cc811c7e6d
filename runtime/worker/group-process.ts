/** A process that leads a group of its own, so that ending it ends whatever it started. */

import { type ChildProcess, spawn } from 'node:child_process';
import { RuntimeError } from '../errors.js';
import type { Output } from '../observe/reports.js';
import { membersOf } from '../proc.js';

/** Lines of stderr kept for the death notice. */
const tailLines = 20;
/** From asking a process to end until it is killed. */
const graceMs = 2_000;
/** A process that left the group may hold its pipes open; its last words are not waited for any longer. */
const drainMs = 500;
/** Nobody tells of the end of a process that is not one's child: look now and then. */
const pollMs = 25;

export interface GroupProcessOptions {
  /** Over the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** It does nothing before `release`, and ends if this process ends first. @default false */
  readonly isHeld?: boolean;
}

/** Reads a line, and becomes the program of its arguments. */
const holdScript = 'read -r go || exit 1; exec "$@" </dev/null';

export interface GroupExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderrTail: readonly string[];
  /** Why this process itself killed it, if it did. */
  readonly killed: Kill | undefined;
}

export interface Kill {
  readonly why: string;
  readonly code: 'E_ACTOR_DEAD' | 'E_OUT_OF_MEMORY';
}

export class GroupProcess {
  readonly pid: number;
  readonly exited: Promise<GroupExit>;
  /** Takes what the process prints. */
  onOutput: (stream: Output, text: string) => void = () => undefined;
  readonly #child: ChildProcess;
  readonly #tail: string[] = [];
  #killed: Kill | undefined;
  /** When the grace of the whole group is over. */
  #graceEnds = 0;

  /** @throws RuntimeError `E_ACTOR_START` if it cannot be started. */
  constructor(file: string, args: readonly string[], options: GroupProcessOptions) {
    const { env, cwd, isHeld = false } = options;
    const command = isHeld
      ? ['/bin/sh', '-c', holdScript, 'patchbay-held', file, ...args]
      : [file, ...args];
    this.#child = spawn(command[0]!, command.slice(1), {
      detached: true,
      stdio: [isHeld ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    const { pid } = this.#child;
    this.#child.on('error', () => undefined);
    this.#child.stdin?.on('error', () => undefined);
    if (pid === undefined) throw new RuntimeError('E_ACTOR_START', `cannot start ${file}`);
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
        void this.#drained().then(() => {
          resolve({ code, signal, stderrTail: this.#tail, killed: this.#killed });
        });
      });
    });
  }

  /** Whoever has to know of it does now: let it begin. */
  release(): void {
    this.#child.stdin?.end('\n');
  }

  /** It was killed, or is about to be gone for that reason. */
  get isKilled(): boolean {
    return this.#killed !== undefined;
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

  /** As `end`, but the others of the group have the same grace, even if the one that leads it is gone sooner. */
  async endGently(withinMs: number): Promise<void> {
    this.#graceEnds = performance.now() + withinMs;
    this.#signal('SIGTERM');
    const timer = setTimeout(() => this.#signal('SIGKILL'), withinMs);
    await this.exited;
    clearTimeout(timer);
  }

  /** It has exited. What it started must not outlive it, and what both wrote is still in the pipes. */
  async #drained(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    while (performance.now() < this.#graceEnds && isGroupAlive(this.pid)) {
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    this.#signal('SIGKILL');
    const timer = setTimeout(() => {
      this.#child.stdout?.destroy();
      this.#child.stderr?.destroy();
    }, drainMs);
    await closed;
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

/** Whether anybody of the group runs. A zombie does not, although signals reach it. */
function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch {
    return false;
  }
  const members = membersOf(group);
  return members === undefined || members.length > 0;
}

/** @param held Its memory when it was last looked at: `0.25 GiB`. */
export function inWords({ code, signal, stderrTail, killed }: GroupExit, held?: string): string {
  const ended = signal ? `died of ${signal}` : `ended with exit code ${code}`;
  const memory = held ? ` (it held ${held} of memory)` : '';
  const how = killed ? `was killed: ${killed.why}` : `${ended}${memory}`;
  const tail = stderrTail.length > 0 ? `; its last words:\n  ${stderrTail.join('\n  ')}` : '';
  return `${how}${tail}`;
}
