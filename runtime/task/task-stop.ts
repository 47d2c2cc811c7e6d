/**
 * What gives a task up: its ref, its options, or the end of the call that submitted it. Most tasks are never given up, and
 * an AbortSignal costs more memory than a waiting task: it is made when the task begins to run.
 */

import { callSignal } from '../actor/context.js';
import { RuntimeError } from '../errors.js';
import type { TaskOptions } from './task-options.js';

export class TaskStop {
  #reason: unknown;
  #isStopped = false;
  #controller: AbortController | undefined;
  #told: (() => void) | undefined;
  /** Of others, who are listened to. */
  readonly #others: AbortSignal | undefined;
  readonly #onOthers: (() => void) | undefined;

  /** @param parent Of the call that submits it; null for a task that outlives whoever asks for it. */
  constructor(
    { signal, timeoutMs }: TaskOptions,
    parent: AbortSignal | null = callSignal() ?? null,
  ) {
    if (!signal && !parent && timeoutMs === undefined) return;
    const others = AbortSignal.any([
      ...(signal ? [signal] : []),
      ...(parent ? [parent] : []),
      ...(timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)]),
    ]);
    this.#others = others;
    this.#onOthers = () => this.stop(others.reason);
    if (others.aborted) this.stop(others.reason);
    else others.addEventListener('abort', this.#onOthers, { once: true });
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isStopped) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  stop(reason?: unknown): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#reason = reason;
    this.#ignoreOthers();
    this.#controller?.abort(reason);
    this.#told?.();
  }

  /** Rejects when the task is given up. */
  given(exportName: string, timeoutMs: number | undefined): Promise<never> {
    const given = new Promise<never>((_, reject) => {
      this.#told = () => reject(this.error(exportName, timeoutMs));
      if (this.#isStopped) this.#told();
    });
    given.catch(() => undefined);
    return given;
  }

  /** The result, or at once an error when the task is given up. */
  settle<T>(result: Promise<T>, exportName: string, timeoutMs: number | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#told = () => reject(this.error(exportName, timeoutMs));
      if (this.#isStopped) this.#told();
      result.then(
        (value) => {
          this.#done();
          resolve(value);
        },
        (error: unknown) => {
          this.#done();
          reject(error);
        },
      );
    });
  }

  #done(): void {
    this.#told = undefined;
    this.#ignoreOthers();
  }

  #ignoreOthers(): void {
    if (this.#onOthers) this.#others?.removeEventListener('abort', this.#onOthers);
  }

  /** What whoever waits for the task hears when it was given up. */
  error(exportName: string, timeoutMs: number | undefined): RuntimeError {
    const reason = this.#reason;
    const isTimeout = reason instanceof Error && reason.name === 'TimeoutError';
    return isTimeout
      ? new RuntimeError('E_TIMEOUT', `task ${exportName} took longer than ${timeoutMs} ms`)
      : new RuntimeError('E_ABORTED', `task ${exportName} was cancelled`, { cause: reason });
  }
}
