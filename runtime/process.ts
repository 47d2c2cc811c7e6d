/** Long-lived child processes: started with options over IPC, they say when they are ready and end with their parent. */

import { type ChildProcess, fork } from 'node:child_process';
import { fromWireError, RuntimeError, toWireError, type WireError } from './errors.js';

interface Served {
  readonly server: AsyncDisposable;
  /** Told to the parent once the server works. */
  readonly ready: string;
  /** Settles when the server has to end by itself. */
  readonly ended: Promise<unknown>;
}

type Report = { readonly ready: string } | { readonly error: WireError };

/** In the child: serve until told to end, until the parent is gone, or until the server itself is done. */
export async function serveUntilOrphaned<Options>(
  start: (options: Options) => Promise<Served>,
): Promise<void> {
  const told = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
    process.once('disconnect', () => resolve());
  });
  const options = await new Promise<Options>((resolve) => process.once('message', resolve));
  let served: Served;
  try {
    served = await start(options);
  } catch (error) {
    await report({ error: toWireError(error) });
    process.exit(1);
  }
  await report({ ready: served.ready });
  await Promise.race([told, served.ended]);
  await served.server[Symbol.asyncDispose]();
  process.exit(0);
}

const report = (message: Report): Promise<void> =>
  new Promise((resolve) => {
    if (process.send) process.send(message, () => resolve());
    else resolve();
  });

/** From asking a child to end until it is killed. An agent needs longer than its slowest actor. */
const graceMs = 10_000;

/** In the parent: a child that is ready. */
export class ServedChild implements AsyncDisposable {
  readonly ready: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ready: string) {
    this.#child = child;
    this.ready = ready;
  }

  /** @throws The error with which the child could not start. */
  static async start(
    entry: URL,
    options: unknown,
    env: Readonly<Record<string, string>> = {},
  ): Promise<ServedChild> {
    const child = fork(entry, {
      execArgv: ['--enable-source-maps'],
      env: { ...process.env, ...env },
      serialization: 'advanced',
    });
    const report = await new Promise<Report>((resolve) => {
      child.once('message', (message) => resolve(message as Report));
      child.once('exit', (code, signal) => {
        const text = `${entry.pathname} ended at once (${signal ?? `exit code ${code}`})`;
        resolve({ error: toWireError(new RuntimeError('E_UNREACHABLE', text)) });
      });
      child.send(options as object);
    });
    if ('error' in report) throw fromWireError(report.error);
    return new ServedChild(child, report.ready);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await exited;
    clearTimeout(timer);
  }
}
