/** Handles: what stands for an actor in another process. Typed by the class, passed anywhere as a plain value. */

import { RuntimeError } from '../errors.js';
import type { ActorId } from '../ids.js';
import type { ActorRef } from '../wire/address.js';
import { defaultCredits } from '../wire/latest-lane.js';
import { ActorProxy } from '../wire/value.js';

/** How calls leave this process or thread. */
export interface Outbound {
  call(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<unknown>;
  stream(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    signal?: AbortSignal,
  ): AsyncGenerator<unknown>;
  tell(ref: ActorRef, method: string, args: readonly unknown[]): void;
  latest(
    ref: ActorRef,
    method: string,
    args: readonly unknown[],
    slot: string,
    credits: number,
  ): void;
  kill(ref: ActorRef): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: the only type that every method's parameters extend
type AnyFunction = (...args: any[]) => unknown;
type Methods<T> = { [K in keyof T as T[K] extends AnyFunction ? K : never]: T[K] };

/** Whether a method is `async *`; one that only throws is not. */
type Streams<Method> = Method extends (...args: never[]) => infer Result
  ? [Result] extends [never]
    ? false
    : Result extends AsyncGenerator
      ? true
      : false
  : false;

/** Ordinary methods: called remotely, they return promises. */
export type RemoteMethods<T> = {
  [K in keyof Methods<T> as Streams<T[K]> extends true ? never : K]: T[K] extends (
    ...args: infer Args
  ) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never;
};
/** `async *` methods: items arrive as they are made, at most 64 ahead of the consumer. */
export type StreamMethods<T> = {
  [K in keyof Methods<T> as Streams<T[K]> extends true ? K : never]: T[K] extends (
    ...args: infer Args
  ) => AsyncGenerator<infer Item>
    ? (...args: Args) => AsyncGenerator<Item>
    : never;
};
/** Methods without an answer. */
export type TellMethods<T> = {
  [K in keyof Methods<T>]: T[K] extends (...args: infer Args) => unknown
    ? (...args: Args) => void
    : never;
};

export interface CallOptions {
  /** Aborting rejects the call at once and aborts `context().signal` at the actor. */
  readonly signal?: AbortSignal;
  /** Reject with `E_TIMEOUT` after this long. @default none */
  readonly timeoutMs?: number;
}

export interface LatestOptions {
  /** Messages of the slot that may be under way before newer ones replace older ones. @default 2 */
  readonly credits?: number;
}

/** A handle's own members; an actor class cannot have methods of these names. */
export interface HandleMembers<T> extends AsyncDisposable {
  readonly id: ActorId;
  readonly ref: ActorRef;
  /** Fire and forget, in order with calls, never dropped while the actor lives. */
  readonly tell: TellMethods<T>;
  /** Call an `async *` method. */
  readonly stream: StreamMethods<T>;
  /** Fire and forget on the latest-wins lane: of the unsent messages of a slot only the newest survives. */
  latest(slot: string, options?: LatestOptions): TellMethods<T>;
  with(options: CallOptions): ActorHandle<T>;
  /** Ends the actor: its dispose hook, then its process. Calls under way fail with `E_ACTOR_DEAD`. */
  kill(): Promise<void>;
}

export type ActorHandle<T> = RemoteMethods<T> & HandleMembers<T>;

export const handleMembers: readonly string[] = [
  'id',
  'ref',
  'tell',
  'stream',
  'latest',
  'with',
  'kill',
] satisfies readonly (keyof HandleMembers<object>)[];

type Invoke = (method: string, args: readonly unknown[]) => unknown;

const methodsProxy = <T>(invoke: Invoke): T =>
  new Proxy(
    {},
    {
      get: (_, name) =>
        typeof name === 'string' && name !== 'then'
          ? (...args: unknown[]) => invoke(name, args)
          : undefined,
    },
  ) as T;

class Handle<T> extends ActorProxy implements HandleMembers<T> {
  readonly #outbound: Outbound;
  readonly #options: CallOptions;
  readonly tell: TellMethods<T>;
  readonly stream: StreamMethods<T>;

  constructor(ref: ActorRef, outbound: Outbound, options: CallOptions) {
    super(ref);
    this.#outbound = outbound;
    this.#options = options;
    this.tell = methodsProxy((method, args) => outbound.tell(ref, method, args));
    this.stream = methodsProxy((method, args) => streamOf(ref, outbound, options, method, args));
  }

  get id(): ActorId {
    return this.ref.actor;
  }

  latest(slot: string, options: LatestOptions = {}): TellMethods<T> {
    const { credits = defaultCredits } = options;
    if (!Number.isInteger(credits) || credits < 1) {
      throw new RuntimeError('E_OPTION', `credits ${credits} must be a whole number from 1 on`);
    }
    return methodsProxy((method, args) =>
      this.#outbound.latest(this.ref, method, args, slot, credits),
    );
  }

  with(options: CallOptions): ActorHandle<T> {
    return makeHandle(this.ref, this.#outbound, { ...this.#options, ...options });
  }

  kill(): Promise<void> {
    return this.#outbound.kill(this.ref);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

async function callOf(
  ref: ActorRef,
  outbound: Outbound,
  options: CallOptions,
  method: string,
  args: readonly unknown[],
): Promise<unknown> {
  const signal = signalOf(options);
  try {
    return await outbound.call(ref, method, args, signal);
  } catch (error) {
    throw isTimeout(signal) ? timeout(ref, method, options, error) : error;
  }
}

async function* streamOf(
  ref: ActorRef,
  outbound: Outbound,
  options: CallOptions,
  method: string,
  args: readonly unknown[],
): AsyncGenerator<unknown> {
  const signal = signalOf(options);
  try {
    yield* outbound.stream(ref, method, args, signal);
  } catch (error) {
    throw isTimeout(signal) ? timeout(ref, method, options, error) : error;
  }
}

function signalOf({ signal, timeoutMs }: CallOptions): AbortSignal | undefined {
  if (timeoutMs === undefined) return signal;
  const late = AbortSignal.timeout(timeoutMs);
  return signal ? AbortSignal.any([signal, late]) : late;
}

function timeout(
  { label }: ActorRef,
  method: string,
  { timeoutMs }: CallOptions,
  cause: unknown,
): RuntimeError {
  const limit = timeoutMs === undefined ? 'its signal allowed' : `${timeoutMs} ms`;
  return new RuntimeError('E_TIMEOUT', `${label}.${method} took longer than ${limit}`, { cause });
}

const isTimeout = (signal: AbortSignal | undefined): boolean =>
  signal?.aborted === true &&
  (signal.reason as { name?: unknown } | undefined)?.name === 'TimeoutError';

export function makeHandle<T>(
  ref: ActorRef,
  outbound: Outbound,
  options: CallOptions = {},
): ActorHandle<T> {
  const handle = new Handle<T>(ref, outbound, options);
  const own = new Map<PropertyKey, unknown>();
  return new Proxy(handle, {
    get(target, name) {
      if (name === 'then') return undefined;
      if (typeof name === 'symbol' || name in target) {
        const known = own.get(name);
        if (known) return known;
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function' || name === 'constructor') return value;
        const bound: unknown = value.bind(target);
        own.set(name, bound);
        return bound;
      }
      return (...args: unknown[]) => callOf(ref, outbound, options, name, args);
    },
  }) as unknown as ActorHandle<T>;
}

/** @throws RuntimeError `E_EXPORT` if a member of every handle would hide a method of the class. */
export function checkMethodNames(label: string, prototype: object): void {
  const hidden = [...handleMembers, 'then', 'toString', 'toLocaleString', 'valueOf'];
  const taken = hidden.filter(
    (name) => Reflect.get(prototype, name) !== Reflect.get(Object.prototype, name),
  );
  if (taken.length > 0) {
    throw new RuntimeError(
      'E_EXPORT',
      `${label} has a method named ${taken.join(', ')}, which handles use themselves; rename it`,
    );
  }
}
