/** The patchbay command as a user runs it, with a home of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../pcpp/cli/main.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A terminal: its own PATCHBAY_HOME and working folder, removed with everything that still runs in it. */
export class Terminal implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'patchbay-test-'));
  /** For commands started from now on, over the environment of the test. */
  readonly env: Record<string, string> = {};
  readonly #running = new Set<Command>();

  /** Of the head that was started here. */
  token(): string {
    return readFileSync(join(this.folder, 'home', 'token'), 'utf8').trim();
  }

  run(...args: readonly string[]): Promise<Outcome> {
    return this.start(...args).outcome;
  }

  start(...args: readonly string[]): Command {
    const { PATCHBAY_ADDRESS: _a, PATCHBAY_TOKEN: _t, PATCHBAY_MODEL: _m, ...env } = process.env;
    const child = spawn(process.execPath, [main, ...args], {
      cwd: this.folder,
      env: {
        ...env,
        ...this.env,
        PATCHBAY_HOME: join(this.folder, 'home'),
        PATCHBAY_LOG: 'warn',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const command = new Command(child);
    this.#running.add(command);
    void command.outcome.then(() => this.#running.delete(command));
    return command;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const command of this.#running) command.kill('SIGTERM');
    await Promise.all([...this.#running].map((command) => command.outcome));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Command {
  readonly pid: number;
  readonly outcome: Promise<Outcome>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';
  #changed: () => void = () => undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid!;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#changed();
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#changed();
    });
    this.outcome = new Promise((resolve) => {
      child.once('close', (code) => {
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
        this.#changed();
      });
    });
  }

  /** Nobody reads what it prints any more. */
  closeStdout(): void {
    this.#child.stdout!.destroy();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The match, once the command has printed it. Fails if the command ends without. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    while (true) {
      const match = pattern.exec(this.#stdout + this.#stderr);
      if (match) return match;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`ended without printing ${pattern}:\n${this.#stdout}${this.#stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}
