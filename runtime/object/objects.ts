/** The objects of one process: its own, which it serves to others, and those it holds refs to. */

import { nanoid } from 'nanoid';
import { LinkLostError, RuntimeError, toWireError } from '../errors.js';
import type { ProcessId } from '../ids.js';
import { type Address, ObjectLocator } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { Message } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { ObjectRef, type ObjectRefOptions } from './object-ref.js';
import { ObjectTable } from './object-table.js';

/** Leases are renewed three times as often as they run out. */
const renewMs = 20_000;

export interface WaitOptions {
  /** How many must be there. @default 1 */
  readonly count?: number;
  /** Come back after this long with what is there. @default never */
  readonly timeoutMs?: number;
}

export interface Waited<T> {
  readonly ready: readonly ObjectRef<T>[];
  readonly pending: readonly ObjectRef<T>[];
}

export class Objects {
  readonly #endpoint: Endpoint;
  readonly #waits: (() => () => void) | undefined;
  readonly #table = new ObjectTable();
  /** Refs to the objects of others, by owner. */
  readonly #borrowed = new Map<
    ProcessId,
    { address: Address; refs: Map<string, WeakRef<object>> }
  >();
  readonly #timer: NodeJS.Timeout;

  /** @param waits Told when somebody begins to wait for a value; the returned function says that he waits no more. */
  constructor(endpoint: Endpoint, waits?: () => () => void) {
    this.#endpoint = endpoint;
    this.#waits = waits;
    this.#timer = setInterval(() => this.#renew(), renewMs);
    this.#timer.unref();
  }

  /** A value of this process. */
  own<T>(fetch: () => Promise<T>, options: Pick<ObjectRefOptions<T>, 'cancel'> = {}): ObjectRef<T> {
    const id = nanoid(12);
    const ref: ObjectRef<T> = new ObjectRef<T>({
      ...options,
      id,
      fetch,
      waits: this.#waits,
      locate: () => {
        this.#table.keep(ref);
        return new ObjectLocator(id, this.#endpoint.address);
      },
    });
    return ref;
  }

  /** What stands for an object that another process passed on. */
  borrow<T>(locator: ObjectLocator): ObjectRef<T> {
    const { id, owner } = locator;
    if (owner.process === this.#endpoint.process) return this.#home<T>(locator);
    const ref = new ObjectRef<T>({
      id,
      fetch: () => this.#fetch<T>(locator),
      waits: this.#waits,
      locate: () => {
        this.#hold(owner, [id]);
        return locator;
      },
    });
    const known = this.#borrowed.get(owner.process) ?? { address: owner, refs: new Map() };
    this.#borrowed.set(owner.process, known);
    known.refs.set(id, new WeakRef(ref));
    return ref;
  }

  /** Answers what others ask of this process's objects; false for other messages. */
  serve(peer: Peer, message: Message): boolean {
    switch (message.kind) {
      case 'object.get':
        void this.#answer(peer, message.id, message.object);
        return true;
      case 'object.hold':
        this.#table.renew(message.objects);
        return true;
      case 'object.free':
        this.#table.free(message.object);
        return true;
      default:
        return false;
    }
  }

  /** Gives an object up: its owner forgets it, whoever asks later hears `E_OBJECT_LOST`. */
  free(ref: ObjectRef<unknown>): void {
    const { id, owner } = ref.locate();
    if (owner.process === this.#endpoint.process) this.#table.free(id);
    else this.#endpoint.to(owner).send({ kind: 'object.free', object: id });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #home<T>(locator: ObjectLocator): ObjectRef<T> {
    try {
      return this.#table.find(locator.id) as ObjectRef<T>;
    } catch (error) {
      return this.own<T>(() => Promise.reject(error as Error));
    }
  }

  async #fetch<T>({ id, owner }: ObjectLocator): Promise<T> {
    try {
      return await this.#endpoint.to(owner).request<T>({ kind: 'object.get', object: id });
    } catch (error) {
      if (!(error instanceof LinkLostError)) throw error;
      const text = `object ${id}: its owner, process ${owner.process}, is gone`;
      throw new RuntimeError('E_OBJECT_LOST', text, { cause: error });
    }
  }

  async #answer(peer: Peer, id: number, object: string): Promise<void> {
    try {
      peer.send({ kind: 'reply', id, value: await this.#table.find(object).value() });
    } catch (error) {
      peer.send({ kind: 'error', id, error: toWireError(error) });
    }
  }

  #hold(owner: Address, objects: readonly string[]): void {
    this.#endpoint.to(owner).send({ kind: 'object.hold', objects }, 'control');
  }

  #renew(): void {
    this.#table.sweep();
    for (const [process, { address, refs }] of this.#borrowed) {
      for (const [id, ref] of refs) if (!ref.deref()) refs.delete(id);
      if (refs.size > 0) this.#hold(address, [...refs.keys()]);
      else this.#borrowed.delete(process);
    }
  }
}

/** All values, in order. @throws RuntimeError `E_TIMEOUT`, or the error of the first that fails. */
export async function getAll<T>(refs: readonly ObjectRef<T>[], timeoutMs?: number): Promise<T[]> {
  const all = Promise.all(refs);
  if (timeoutMs === undefined) return all;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const missing = refs.filter(({ isSettled }) => !isSettled).length;
      const text = `${missing} of ${refs.length} objects were not there within ${timeoutMs} ms`;
      reject(new RuntimeError('E_TIMEOUT', text));
    }, timeoutMs);
  });
  return Promise.race([all, late]).finally(() => clearTimeout(timer));
}

/** Which refs are settled, once `count` are or the time is up. Nothing is cancelled. */
export function waitFor<T>(
  refs: readonly ObjectRef<T>[],
  { count = 1, timeoutMs }: WaitOptions,
): Promise<Waited<T>> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let settled = 0;
    const done = (): void => {
      clearTimeout(timer);
      const ready = refs.filter(({ isSettled }) => isSettled);
      resolve({ ready, pending: refs.filter(({ isSettled }) => !isSettled) });
    };
    const one = (): void => {
      settled++;
      if (settled === Math.min(count, refs.length)) done();
    };
    if (timeoutMs !== undefined) timer = setTimeout(done, timeoutMs);
    if (refs.length === 0 || count <= 0) done();
    for (const ref of refs) ref.then(one, one);
  });
}
