/** One living object of an actor class: built from a bundled module, its methods called by name. */

import { pathToFileURL } from 'node:url';
import type { Remote } from '../client/remote.js';
import { messageOf, RuntimeError } from '../errors.js';
import { CallScope } from './call-scope.js';
import { type ActorContext, type ActorSurroundings, runInContext } from './context.js';
import type { ConcurrencyGroup, Invoke } from './executor.js';
import { checkMethodNames } from './handle.js';

export type ActorClass = new (...args: never[]) => object;

/** What a class may say of itself in `static readonly actor`. */
export interface ActorOptions {
  /** Run the actor on a thread of its own, because its methods block. @default false */
  readonly thread?: boolean;
  /** Calls that may run at once. @default 1 */
  readonly maxConcurrency?: number;
  /**
   * Methods with places of their own: `{ io: { methods: ['fetch'], maxConcurrency: 4 } }` keeps slow fetches from
   * holding up everything else. Each caller's order holds within a group. @default none
   */
  readonly concurrencyGroups?: Readonly<Record<string, ConcurrencyGroup>>;
  /** Between two runs of the class's `snapshot()`, in milliseconds, while there are calls. @default 1_000 */
  readonly snapshotMs?: number;
}

export type Module = Readonly<Record<string, unknown>>;

/** @throws RuntimeError `E_ACTOR_START` if the module fails. */
export async function importModule(file: string): Promise<Module> {
  try {
    return (await import(pathToFileURL(file).href)) as Module;
  } catch (cause) {
    throw new RuntimeError('E_ACTOR_START', `the module fails: ${messageOf(cause)}`, { cause });
  }
}

/** @throws RuntimeError `E_EXPORT` if the module has no such class. */
export function classOf(module: Module, exportName: string): ActorClass {
  const value = module[exportName];
  if (typeof value !== 'function' || value.prototype === undefined) {
    const classes = Object.keys(module).join(', ');
    throw new RuntimeError(
      'E_EXPORT',
      `the module exports no class ${exportName}; it has: ${classes || 'nothing'}`,
    );
  }
  checkMethodNames(exportName, value.prototype as object);
  return value as ActorClass;
}

/** A module's exported functions as methods of one object: what runs tasks. */
export const functionsOf = (module: Module): object =>
  Object.fromEntries(Object.entries(module).filter(([, value]) => typeof value === 'function'));

export const optionsOf = (value: ActorClass): ActorOptions =>
  (value as { actor?: ActorOptions }).actor ?? {};

export class Instance {
  readonly #identity: ActorSurroundings;
  readonly #object: object;

  private constructor(identity: ActorSurroundings, object: object) {
    this.#identity = identity;
    this.#object = object;
  }

  /** For an object that is there already. */
  static of(identity: ActorSurroundings, object: object): Instance {
    return new Instance(identity, object);
  }

  /** @throws RuntimeError `E_ACTOR_START` with the constructor's error as its cause. */
  static create(
    identity: ActorSurroundings,
    Class: ActorClass,
    args: readonly unknown[],
  ): Instance {
    const current = new CallContext(identity, new CallScope(false));
    try {
      const object = runInContext(current, () => new Class(...(args as never[])));
      return new Instance(identity, object);
    } catch (cause) {
      throw new RuntimeError('E_ACTOR_START', `${identity.self.label}: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  readonly invoke: Invoke = (method, args, scope) => {
    const found: unknown = (this.#object as Record<string, unknown>)[method];
    if (typeof found !== 'function' || method === 'constructor') {
      throw new RuntimeError('E_METHOD', `${this.#identity.self.label} has no method ${method}`);
    }
    const current = new CallContext(this.#identity, scope);
    const result: unknown = runInContext(current, () => found.apply(this.#object, args));
    return isGenerator(result) ? inContext(current, result) : result;
  };

  /** The class's own dispose hook, if it has one. */
  async dispose(): Promise<void> {
    const object = this.#object as Partial<AsyncDisposable & Disposable>;
    const hook = object[Symbol.asyncDispose] ?? object[Symbol.dispose];
    await hook?.call(object as AsyncDisposable & Disposable);
  }
}

/** Reads the signal only when the method does. */
class CallContext implements ActorContext {
  readonly #surroundings: ActorSurroundings;
  readonly #scope: Parameters<Invoke>[2];

  constructor(surroundings: ActorSurroundings, scope: Parameters<Invoke>[2]) {
    this.#surroundings = surroundings;
    this.#scope = scope;
  }

  get self(): ActorContext['self'] {
    return this.#surroundings.self;
  }

  get node(): ActorContext['node'] {
    return this.#surroundings.node;
  }

  get resources(): ActorContext['resources'] {
    return this.#surroundings.resources;
  }

  get cluster(): ActorContext['cluster'] {
    return this.#surroundings.cluster;
  }

  module<M>(): Remote<M> {
    return this.#surroundings.module<M>();
  }

  exit(): void {
    this.#surroundings.exit();
  }

  span(name: string, start: number): void {
    this.#surroundings.span(name, start);
  }

  note(text: string): void {
    this.#surroundings.note(text);
  }

  get signal(): AbortSignal {
    return this.#scope.signal;
  }
}

const isGenerator = (value: unknown): value is AsyncGenerator =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value && 'next' in value;

/** A generator's body runs when it is pulled, so each pull must run in the call's context. */
async function* inContext(
  current: Parameters<typeof runInContext>[0],
  generator: AsyncGenerator,
): AsyncGenerator {
  try {
    while (true) {
      const { done, value } = await runInContext(current, () => generator.next());
      if (done) return;
      yield value;
    }
  } finally {
    await runInContext(current, () => generator.return(undefined));
  }
}
