/**
 * Runs one actor's methods: calls and tells in the order of arrival, at most `maxConcurrency` at a time; messages of
 * the latest-wins lane at once, beside whatever runs.
 */

import { RuntimeError, toWireError } from '../errors.js';
import type { Lane } from '../wire/link.js';
import type { CallMessage, Message, MessageOf } from '../wire/messages.js';
import { streamWindow } from '../wire/stream.js';

/** Where answers go: a peer. */
export interface AnswerSink {
  send(message: Message, lane?: Lane): void;
}

/** Runs one method; a streaming call returns an async generator. */
export type Invoke = (
  method: string,
  args: readonly unknown[],
  options: { readonly stream: boolean; readonly signal: AbortSignal },
) => unknown;

export interface ExecutorOptions {
  readonly invoke: Invoke;
  readonly maxConcurrency: number;
  /** Told of errors that no caller waits for. */
  readonly onLostError: (method: string, error: unknown) => void;
}

interface Running {
  readonly abort: AbortController;
  /** Items the caller still has room for. */
  window: number;
  refill: (() => void) | undefined;
}

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #running = new Map<AnswerSink, Map<number, Running>>();
  readonly #queue: (() => Promise<void>)[] = [];
  readonly #all = new Set<AbortController>();
  #busy = 0;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  receive(from: AnswerSink, message: CallMessage): void {
    switch (message.kind) {
      case 'call':
        this.#enqueue(from, message);
        return;
      case 'tell':
        this.#queue.push(() => this.#runTell(message));
        this.#next();
        return;
      case 'latest':
        void this.#runTell(message).then(() => {
          const { sender, actor, slot } = message;
          from.send({ kind: 'latest.credit', sender, actor, slot }, 'control');
        });
        return;
      case 'latest.credit':
        return;
      case 'cancel':
        this.#running.get(from)?.get(message.id)?.abort.abort();
        return;
      case 'stream.credit': {
        const running = this.#running.get(from)?.get(message.id);
        if (!running) return;
        running.window += message.count;
        running.refill?.();
        return;
      }
    }
  }

  /** The caller is gone: what it waited for is aborted. */
  forget(from: AnswerSink): void {
    for (const running of this.#running.get(from)?.values() ?? []) running.abort.abort();
    this.#running.delete(from);
  }

  /** Abort everything that runs and drop what waits. */
  stop(): void {
    this.#queue.length = 0;
    for (const abort of this.#all) abort.abort();
  }

  #enqueue(from: AnswerSink, message: MessageOf<'call'>): void {
    const running: Running = {
      abort: new AbortController(),
      window: streamWindow,
      refill: undefined,
    };
    const calls = this.#running.get(from) ?? new Map<number, Running>();
    this.#running.set(from, calls);
    calls.set(message.id, running);
    this.#queue.push(async () => {
      try {
        if (!running.abort.signal.aborted) await this.#runCall(from, message, running);
      } finally {
        calls.delete(message.id);
      }
    });
    this.#next();
  }

  #next(): void {
    while (this.#busy < this.#options.maxConcurrency) {
      const run = this.#queue.shift();
      if (!run) return;
      this.#busy++;
      void run().finally(() => {
        this.#busy--;
        this.#next();
      });
    }
  }

  async #runCall(from: AnswerSink, message: MessageOf<'call'>, running: Running): Promise<void> {
    const { id, method, args, stream } = message;
    const { signal } = running.abort;
    this.#all.add(running.abort);
    try {
      const result = this.#options.invoke(method, args, { stream, signal });
      if (stream) await this.#pour(from, id, method, result, running);
      else from.send({ kind: 'reply', id, value: await plain(method, result) });
    } catch (error) {
      from.send({ kind: 'error', id, error: toWireError(error) });
    } finally {
      this.#all.delete(running.abort);
    }
  }

  async #pour(
    from: AnswerSink,
    id: number,
    method: string,
    result: unknown,
    running: Running,
  ): Promise<void> {
    if (typeof result !== 'object' || result === null || !(Symbol.asyncIterator in result)) {
      throw new RuntimeError('E_METHOD', `${method} is not an async generator; call it directly`);
    }
    const { signal } = running.abort;
    for await (const value of result as AsyncIterable<unknown>) {
      if (signal.aborted) return;
      from.send({ kind: 'stream.item', id, value });
      running.window--;
      if (running.window <= 0) await roomFor(running, signal);
      if (signal.aborted) return;
    }
    from.send({ kind: 'stream.end', id });
  }

  async #runTell(message: MessageOf<'tell'> | MessageOf<'latest'>): Promise<void> {
    const abort = new AbortController();
    this.#all.add(abort);
    try {
      await this.#options.invoke(message.method, message.args, {
        stream: false,
        signal: abort.signal,
      });
    } catch (error) {
      if (!abort.signal.aborted) this.#options.onLostError(message.method, error);
    } finally {
      this.#all.delete(abort);
    }
  }
}

function plain(method: string, result: unknown): unknown {
  if (typeof result !== 'object' || result === null || !(Symbol.asyncIterator in result)) {
    return result;
  }
  throw new RuntimeError('E_METHOD', `${method} is an async generator; use stream.${method}()`);
}

const roomFor = (running: Running, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      running.refill = undefined;
      signal.removeEventListener('abort', done);
      resolve();
    };
    running.refill = done;
    signal.addEventListener('abort', done, { once: true });
  });
