/** The agent's side of logs: collects what its actors print, and sends it in batches, no more than the head takes. */

import { ActorLog, type LogLimits, logLimits } from './actor-log.js';
import type { LogBatch, LogSource, Output, OutputLine } from './reports.js';

export interface LogFeedOptions {
  /** Name of the node. */
  readonly node: string;
  /** Settles when the batch was taken. */
  readonly send: (batch: LogBatch) => Promise<unknown>;
  /** Whether there is somebody to send to; until then lines wait. @default always */
  readonly isReady?: () => boolean;
  readonly limits?: Partial<LogLimits>;
  /** Milliseconds. @default performance.now */
  readonly clock?: () => number;
  /** Runs something a little later, so that lines go together; returns how to call it off. @default after 20 ms */
  readonly later?: (run: () => void) => () => void;
}

const after20 = (run: () => void): (() => void) => {
  const timer = setTimeout(run, 20);
  return () => clearTimeout(timer);
};

export class LogFeed {
  readonly #options: LogFeedOptions;
  readonly #limits: LogLimits;
  readonly #open = new Map<LogSource, { readonly label: string; readonly log: ActorLog }>();
  #callOff: (() => void) | undefined;
  #sending = false;
  /** Of actors that are gone. */
  #dropped = 0;

  constructor(options: LogFeedOptions) {
    this.#options = options;
    this.#limits = { ...logLimits, ...options.limits };
  }

  get dropped(): number {
    return [...this.#open.values()].reduce((sum, { log }) => sum + log.dropped, this.#dropped);
  }

  /** For an actor that begins: takes what its process prints. */
  open(
    actor: LogSource,
    label: string,
    limits: Partial<LogLimits> = {},
  ): (stream: Output, text: string) => void {
    const all = { ...this.#limits, ...limits };
    const log = new ActorLog(all, this.#options.clock ?? (() => performance.now()));
    this.#open.set(actor, { label, log });
    return (stream, text) => {
      log.push(stream, text, this.#room(log));
      if (!log.isEmpty) this.#schedule();
    };
  }

  /** The actor's process is gone: its last words leave before anything that is sent after this. */
  close(actor: LogSource): void {
    const open = this.#open.get(actor);
    if (!open) return;
    this.#open.delete(actor);
    void this.#send(actor, open.label, open.log.end());
    this.#dropped += open.log.dropped;
  }

  /** Everything printed so far leaves at once. */
  async flush(): Promise<void> {
    // What the processes wrote may still be in their pipes.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    await this.#sendAll();
  }

  stop(): void {
    this.#callOff?.();
    this.#open.clear();
  }

  /** What the others leave of the characters that may wait. */
  #room(log: ActorLog): number {
    const waiting = [...this.#open.values()].reduce((sum, open) => sum + open.log.length, 0);
    return this.#limits.maxWaiting - waiting + log.length;
  }

  #schedule(): void {
    if (this.#sending) return;
    const { later = after20 } = this.#options;
    this.#callOff ??= later(() => void this.#pump());
  }

  async #pump(): Promise<void> {
    this.#callOff = undefined;
    this.#sending = true;
    if (this.#options.isReady?.() ?? true) await this.#sendAll();
    this.#sending = false;
    if ([...this.#open.values()].some(({ log }) => !log.isEmpty)) this.#schedule();
  }

  async #sendAll(): Promise<void> {
    await Promise.all(
      [...this.#open].map(([actor, { label, log }]) => this.#send(actor, label, log.take())),
    );
  }

  async #send(actor: LogSource, label: string, lines: readonly OutputLine[]): Promise<void> {
    if (lines.length === 0) return;
    // Lines that a lost head did not take are lost with it.
    await this.#options
      .send({ actor, label, node: this.#options.node, lines })
      .catch(() => undefined);
  }
}
