/**
 * Runs one actor's methods: calls and tells in the order of arrival, at most `maxConcurrency` at a time; messages of
 * the latest-wins lane at once, beside whatever runs.
 */

import { RuntimeError, toWireError } from '../errors.js';
import type { Lane } from '../wire/link.js';
import type { CallMessage, Message, MessageOf } from '../wire/messages.js';
import { streamWindow } from '../wire/stream.js';
import { CallQueue } from './call-queue.js';
import { CallScope } from './call-scope.js';

/** Where answers go: a peer. */
export interface AnswerSink {
  send(message: Message, lane?: Lane): void;
}

/** Runs one method; a streaming call returns an async generator. `scope.signal` is made when it is asked for. */
export type Invoke = (
  method: string,
  args: readonly unknown[],
  scope: { readonly stream: boolean; readonly signal: AbortSignal },
) => unknown;

export interface ConcurrencyLimits {
  readonly maxConcurrency: number;
  /** Methods that have places of their own, beside those of all others. */
  readonly groups?: readonly ConcurrencyGroup[];
}

export interface ExecutorOptions extends ConcurrencyLimits {
  readonly invoke: Invoke;
  /** Calls and tells that may wait in a group; more are refused. @default unlimited */
  readonly maxPending?: number;
  /** Told of errors that no caller waits for. */
  readonly onLostError: (method: string, error: unknown) => void;
}

export interface ConcurrencyGroup {
  readonly methods: readonly string[];
  /** Calls of these methods that may run at once. */
  readonly maxConcurrency: number;
}

interface Running {
  readonly scope: CallScope;
  /** Items the caller still has room for. */
  window: number;
  refill: (() => void) | undefined;
}

type Waiting =
  | { readonly from: AnswerSink; readonly call: MessageOf<'call'>; readonly running: Running }
  | { readonly tell: MessageOf<'tell'> };

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #running = new Map<AnswerSink, Map<number, Running>>();
  readonly #others: CallQueue<Waiting>;
  readonly #groups = new Map<string, CallQueue<Waiting>>();
  readonly #all = new Set<CallScope>();
  #stopped = false;
  #isDraining = false;
  readonly #onIdle: (() => void)[] = [];

  constructor(options: ExecutorOptions) {
    this.#options = options;
    const run = (waiting: Waiting): Promise<void> =>
      'tell' in waiting
        ? this.#runTell(waiting.tell)
        : this.#runCall(waiting.from, waiting.call, waiting.running);
    this.#others = new CallQueue(options.maxConcurrency, run);
    for (const { methods, maxConcurrency } of options.groups ?? []) {
      const queue = new CallQueue(maxConcurrency, run);
      for (const method of methods) this.#groups.set(method, queue);
    }
  }

  receive(from: AnswerSink, message: CallMessage): void {
    const isNew = message.kind === 'call' || message.kind === 'tell' || message.kind === 'latest';
    if (isNew && this.#isDraining) return;
    switch (message.kind) {
      case 'call': {
        const full = this.#whyFull(message.method);
        if (full) from.send({ kind: 'error', id: message.id, error: toWireError(full) });
        else this.#enqueue(from, message);
        return;
      }
      case 'tell': {
        const full = this.#whyFull(message.method);
        if (full) this.#options.onLostError(message.method, full);
        else this.#queueOf(message.method).push({ tell: message });
        return;
      }
      case 'latest':
        void this.#runTell(message).then(() => {
          const { sender, actor, slot } = message;
          from.send({ kind: 'latest.credit', sender, actor, slot }, 'control');
        });
        return;
      case 'latest.credit':
        return;
      case 'cancel':
        this.#running.get(from)?.get(message.id)?.scope.abort();
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

  /** A call of the runtime's own: it has its turn, however many wait. */
  runInTurn(from: AnswerSink, call: MessageOf<'call'>): void {
    if (!this.#isDraining) this.#enqueue(from, call);
  }

  /** Nothing runs, so nothing waits either. */
  get isIdle(): boolean {
    return this.#all.size === 0;
  }

  /** The caller is gone: what it waited for is aborted. */
  forget(from: AnswerSink): void {
    for (const running of this.#running.get(from)?.values() ?? []) running.scope.abort();
    this.#running.delete(from);
  }

  /** Abort everything that runs and drop what waits. Nobody is answered any more: callers hear that the actor died. */
  stop(): void {
    this.#stopped = true;
    this.#others.clear();
    for (const queue of this.#groups.values()) queue.clear();
    for (const scope of this.#all) scope.abort();
  }

  /** Take nothing new and drop what waits; resolves when what runs has ended and was answered. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    const idle = new Promise<void>((resolve) => this.#onIdle.push(resolve));
    this.#others.clear();
    for (const queue of this.#groups.values()) queue.clear();
    this.#tellIdle();
    await idle;
  }

  #ended(scope: CallScope): void {
    this.#all.delete(scope);
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.isIdle) for (const told of this.#onIdle.splice(0)) told();
  }

  #queueOf(method: string): CallQueue<Waiting> {
    return this.#groups.get(method) ?? this.#others;
  }

  #whyFull(method: string): RuntimeError | undefined {
    const { maxPending } = this.#options;
    const { pending, isBusy } = this.#queueOf(method);
    if (maxPending === undefined || !isBusy || pending < maxPending) return undefined;
    const text = `${method} is refused: ${pending} calls wait already, which is maxPending`;
    return new RuntimeError('E_MAILBOX_FULL', text);
  }

  #enqueue(from: AnswerSink, call: MessageOf<'call'>): void {
    const scope = new CallScope(call.stream);
    const running: Running = { scope, window: streamWindow, refill: undefined };
    const calls = this.#running.get(from) ?? new Map<number, Running>();
    this.#running.set(from, calls);
    calls.set(call.id, running);
    this.#queueOf(call.method).push({ from, call, running });
  }

  async #runCall(from: AnswerSink, call: MessageOf<'call'>, running: Running): Promise<void> {
    const { id, method, args, stream } = call;
    const { scope } = running;
    this.#all.add(scope);
    try {
      if (scope.isAborted) return;
      const result = this.#options.invoke(method, args, scope);
      if (stream) await this.#pour(from, id, method, result, running);
      else this.#answer(from, { kind: 'reply', id, value: await plain(method, result) });
    } catch (error) {
      this.#answer(from, { kind: 'error', id, error: toWireError(error) });
    } finally {
      this.#running.get(from)?.delete(id);
      this.#ended(scope);
    }
  }

  #answer(from: AnswerSink, answer: MessageOf<'reply'> | MessageOf<'error'>): void {
    if (!this.#stopped) from.send(answer);
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
    const { scope } = running;
    for await (const value of result as AsyncIterable<unknown>) {
      if (scope.isAborted) return;
      from.send({ kind: 'stream.item', id, value });
      running.window--;
      if (running.window <= 0) await roomFor(running);
      if (scope.isAborted) return;
    }
    from.send({ kind: 'stream.end', id });
  }

  async #runTell(message: MessageOf<'tell'> | MessageOf<'latest'>): Promise<void> {
    const scope = new CallScope(false);
    this.#all.add(scope);
    try {
      await this.#options.invoke(message.method, message.args, scope);
    } catch (error) {
      if (!scope.isAborted) this.#options.onLostError(message.method, error);
    } finally {
      this.#ended(scope);
    }
  }
}

function plain(method: string, result: unknown): unknown {
  if (typeof result !== 'object' || result === null || !(Symbol.asyncIterator in result)) {
    return result;
  }
  throw new RuntimeError('E_METHOD', `${method} is an async generator; use stream.${method}()`);
}

const roomFor = (running: Running): Promise<void> =>
  new Promise((resolve) => {
    const { signal } = running.scope;
    const done = (): void => {
      running.refill = undefined;
      signal.removeEventListener('abort', done);
      resolve();
    };
    running.refill = done;
    signal.addEventListener('abort', done, { once: true });
  });
