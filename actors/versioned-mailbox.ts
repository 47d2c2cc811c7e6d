/**
 * A mailbox whose slots hold values by version. A reader asks for exactly one version, so what it computes depends on
 * the versions it asked for and never on timing.
 */

import { ActorsError } from './errors.js';

export interface MailboxOptions {
  /** Unread versions of a slot that are kept; beyond it the oldest is dropped. @default 4 */
  readonly keep?: number;
}

export interface TakeOptions {
  readonly signal?: AbortSignal;
}

export interface NotLaterOptions extends TakeOptions {
  /** How long to wait for the exact version. */
  readonly deadlineMs: number;
  /** After the deadline a version may be older than asked by this much. */
  readonly maxAge: number;
}

export interface MailboxCounts {
  /** Versions dropped unread because newer ones came. */
  readonly dropped: number;
  /** Reads that got an older version than they asked for. */
  readonly late: number;
}

interface Letter<T> {
  readonly value: T;
  /** Called once the value was read or dropped. */
  readonly consumed: () => void;
}

interface Reader<T> {
  readonly version: number;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

interface Slot<T> {
  /** Unread. */
  readonly letters: Map<number, Letter<T>>;
  readonly readers: Set<Reader<T>>;
  /** The version read last: it may be read again until a later one is. */
  read: { readonly version: number; readonly value: T } | undefined;
  /** Versions up to this one were read or dropped. */
  past: number;
}

export class VersionedMailbox<T> {
  readonly #keep: number;
  readonly #slots = new Map<string, Slot<T>>();
  #dropped = 0;
  #late = 0;

  constructor(options: MailboxOptions = {}) {
    this.#keep = options.keep ?? 4;
  }

  get counts(): MailboxCounts {
    return { dropped: this.#dropped, late: this.#late };
  }

  /**
   * Resolves when the value was taken or dropped, so that a sender can wait for its consumption. A version that was
   * taken or dropped already is ignored: duplicates do no harm.
   */
  put(slot: string, version: number, value: T): Promise<void> {
    const state = this.#slot(slot);
    if (version <= state.past) return Promise.resolve();
    return new Promise((consumed) => {
      state.letters.get(version)?.consumed();
      state.letters.set(version, { value, consumed });
      const waiting = [...state.readers].filter((reader) => reader.version === version);
      if (waiting.length > 0) this.#open(slot, state, version);
      for (const reader of waiting) {
        state.readers.delete(reader);
        reader.resolve(value);
      }
      if (state.letters.size > this.#keep) this.#dropOldest(slot, state);
    });
  }

  /**
   * Resolves with exactly this version, at once if it is here, otherwise when it arrives. Older versions of the slot
   * are dropped; the version itself may be taken again until a later one is.
   *
   * @throws ActorsError `E_VERSION_GONE` if the version was dropped before, `E_ABORTED`.
   */
  take(slot: string, version: number, { signal }: TakeOptions = {}): Promise<T> {
    const state = this.#slot(slot);
    if (signal?.aborted) return Promise.reject(aborted(slot, version, signal));
    if (version === state.read?.version) return Promise.resolve(state.read.value);
    if (version <= state.past) return Promise.reject(gone(slot, version, state.past));
    if (state.letters.has(version)) return Promise.resolve(this.#open(slot, state, version));
    return new Promise((resolve, reject) => {
      const forget = (): void => signal?.removeEventListener('abort', onAbort);
      const reader: Reader<T> = {
        version,
        resolve: (value) => {
          forget();
          resolve(value);
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      };
      const onAbort = (): void => {
        state.readers.delete(reader);
        reject(aborted(slot, version, signal!));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      state.readers.add(reader);
    });
  }

  /**
   * As `take`, but after the deadline an older version will do, the newest within `maxAge`; such reads are counted.
   * Without one it goes on waiting for the exact version.
   */
  async takeNotLater(
    slot: string,
    version: number,
    { deadlineMs, maxAge, signal }: NotLaterOptions,
  ): Promise<{ readonly version: number; readonly value: T }> {
    const exact = new AbortController();
    const either = signal ? AbortSignal.any([signal, exact.signal]) : exact.signal;
    let older: { readonly version: number; readonly value: T } | undefined;
    const timer = setTimeout(() => {
      older = this.#takeOlder(slot, version, maxAge);
      if (older) exact.abort();
    }, deadlineMs);
    try {
      return { version, value: await this.take(slot, version, { signal: either }) };
    } catch (error) {
      if (older) return older;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The newest within `maxAge`, be it the one read last. */
  #takeOlder(
    slot: string,
    version: number,
    maxAge: number,
  ): { readonly version: number; readonly value: T } | undefined {
    const state = this.#slot(slot);
    const { read } = state;
    const known = [...state.letters.keys(), ...(read ? [read.version] : [])];
    const newest = Math.max(...known.filter((v) => v <= version && v >= version - maxAge));
    if (newest === Number.NEGATIVE_INFINITY) return undefined;
    this.#late++;
    return newest === read?.version
      ? read
      : { version: newest, value: this.#open(slot, state, newest) };
  }

  #open(slot: string, state: Slot<T>, version: number): T {
    const { value } = state.letters.get(version)!;
    for (const [other, letter] of state.letters) {
      if (other > version) continue;
      if (other < version) this.#dropped++;
      state.letters.delete(other);
      letter.consumed();
    }
    state.past = version;
    state.read = { version, value };
    this.#giveUp(slot, state, (reader) => reader.version < version);
    return value;
  }

  #dropOldest(slot: string, state: Slot<T>): void {
    const oldest = Math.min(...state.letters.keys());
    state.letters.get(oldest)!.consumed();
    state.letters.delete(oldest);
    state.past = oldest;
    this.#dropped++;
    this.#giveUp(slot, state, (reader) => reader.version <= oldest);
  }

  /** Readers of versions that will not come any more. */
  #giveUp(slot: string, state: Slot<T>, isLate: (reader: Reader<T>) => boolean): void {
    for (const reader of [...state.readers].filter(isLate)) {
      state.readers.delete(reader);
      reader.reject(gone(slot, reader.version, state.past));
    }
  }

  #slot(name: string): Slot<T> {
    const known = this.#slots.get(name);
    if (known) return known;
    const slot: Slot<T> = {
      letters: new Map(),
      readers: new Set(),
      read: undefined,
      past: Number.NEGATIVE_INFINITY,
    };
    this.#slots.set(name, slot);
    return slot;
  }
}

const gone = (slot: string, version: number, past: number): ActorsError =>
  new ActorsError(
    'E_VERSION_GONE',
    `version ${version} of ${slot} is gone: everything up to ${past} was read or dropped`,
  );

const aborted = (slot: string, version: number, signal: AbortSignal): ActorsError =>
  new ActorsError('E_ABORTED', `stopped waiting for version ${version} of ${slot}`, {
    cause: signal.reason,
  });
