/**
 * A journal on a Redis or Valkey server, so that the next head may run on another machine. A head renews its lock: whoever has lost it,
 * or cannot know any more whether he has it, has to end. The journal is as durable as the server.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, RuntimeError } from '../errors.js';
import { decodeValue, encodeValue } from '../wire/value.js';
import type { Change, Journal, Row } from './journal.js';
import { placeNamed, RedisPlace, retryMs } from './redis-place.js';
import * as scripts from './redis-scripts.js';

export interface RedisJournalOptions {
  /** Forget what is there, unless a head that runs has it. @default false */
  readonly fresh?: boolean;
  /**
   * In milliseconds: a head that was not acknowledged for so long ends, and one on another machine may take its place.
   *
   * @default 30_000
   */
  readonly lockMs?: number;
  /** Told when the server, or the lock, has to be waited for. @default nobody */
  readonly warn?: (text: string) => void;
}

/** So often the lock is renewed while it lasts. */
const renewals = 6;

interface Batch {
  /** Encoded; without a value the row is gone. The last change of a row counts. */
  readonly changes: Map<string, Buffer | undefined>;
  readonly kept: Promise<void>;
  readonly keep: () => void;
}

export class RedisJournal implements Journal {
  readonly lost: Promise<RuntimeError>;
  readonly #place: RedisPlace;
  readonly #lockMs: number;
  readonly #warn: (text: string) => void;
  /** What is sent next: many writes are acknowledged as one while another is under way. */
  #next: Batch | undefined;
  #sending: Promise<void> | undefined;
  /** Lost, or given back. */
  #isOver = false;
  /** Since the server has answered last. */
  #failure: string | undefined;
  #renewing: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #lose: (error: RuntimeError) => void = () => undefined;

  private constructor(place: RedisPlace, { lockMs, warn }: Required<RedisJournalOptions>) {
    this.#place = place;
    this.#lockMs = lockMs;
    this.#warn = warn;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
    this.#renewing = setInterval(() => void this.write([]), lockMs / renewals);
    this.#renewing.unref();
  }

  /**
   * @param url `redis://user:password@host:port/database?name=NAME`, or `rediss://` for TLS; several clusters are told apart by name.
   * @throws RuntimeError `E_JOURNAL` if another head has it, or the server does not do as it is asked.
   */
  static async open(url: string, options: RedisJournalOptions = {}): Promise<RedisJournal> {
    const { fresh = false, lockMs = 30_000, warn = () => undefined } = options;
    const named = placeNamed(url);
    try {
      const place = await RedisPlace.open(named, lockMs);
      try {
        const askedAt = await place.lock({ lockMs, fresh, warn });
        const journal = new RedisJournal(place, { fresh, lockMs, warn });
        journal.#holdFrom(askedAt);
        return journal;
      } catch (error) {
        place.leave();
        throw error;
      }
    } catch (cause) {
      const text = `journal ${named.shown}: ${messageOf(cause)}`;
      throw new RuntimeError('E_JOURNAL', text, { cause });
    }
  }

  async rows(): Promise<Iterable<Row>> {
    try {
      const flat = (await this.#place.run(scripts.read)) as readonly Buffer[];
      return flat.flatMap((key, at) =>
        at % 2 === 0 ? [{ key: key.toString(), value: decodeValue(flat[at + 1]!) }] : [],
      );
    } catch (cause) {
      throw this.#error(messageOf(cause), cause);
    }
  }

  write(changes: readonly Change[]): Promise<void> {
    let encoded: readonly (readonly [string, Buffer | undefined])[];
    try {
      encoded = changes.map(({ key, value }) => [key, encode(value)]);
    } catch (cause) {
      throw this.#error(`cannot be written: ${messageOf(cause)}`, cause);
    }
    this.#next ??= newBatch();
    const { changes: all, kept } = this.#next;
    for (const [key, value] of encoded) all.set(key, value);
    if (!this.#isOver) this.#sending ??= this.#sendAll();
    return kept;
  }

  close(): Promise<void> {
    return this.#finish(scripts.release);
  }

  remove(): Promise<void> {
    return this.#finish(scripts.remove);
  }

  async #sendAll(): Promise<void> {
    while (this.#next && !this.#isOver) {
      const batch = this.#next;
      this.#next = undefined;
      await this.#send(batch);
    }
    this.#sending = undefined;
  }

  /** Until it is acknowledged: to be told twice does no harm. */
  async #send({ changes, keep }: Batch): Promise<void> {
    const sets: (string | Buffer)[] = [];
    const removed: string[] = [];
    for (const [key, value] of changes) {
      if (value) sets.push(key, value);
      else removed.push(key);
    }
    const args = [String(this.#lockMs), String(sets.length), ...sets, ...removed];
    while (!this.#isOver) {
      const sentAt = performance.now();
      try {
        if (await this.#place.runAsOwner(scripts.write, args)) {
          this.#holdFrom(sentAt);
          keep();
        } else {
          this.#end('another head has it now, or somebody has emptied it');
        }
        return;
      } catch (error) {
        if (this.#isOver) return;
        const text = messageOf(error);
        if (!this.#failure) this.#warn(`journal ${this.#place.shown} is waited for: ${text}`);
        this.#failure = text;
        await pause(retryMs);
      }
    }
  }

  /** The lock lasts from when the server was asked for it, or longer. */
  #holdFrom(askedAt: number): void {
    if (this.#failure) this.#warn(`journal ${this.#place.shown} answers again`);
    this.#failure = undefined;
    clearTimeout(this.#deadline);
    const leftMs = this.#lockMs - (performance.now() - askedAt);
    this.#deadline = setTimeout(() => {
      this.#end(`it does not answer for ${this.#lockMs / 1_000} s (${this.#failure ?? 'silence'})`);
    }, leftMs);
    this.#deadline.unref();
  }

  #end(why: string): void {
    if (this.#isOver) return;
    this.#leave();
    this.#lose(this.#error(`is lost: ${why}; the cluster waits for another head`));
  }

  #leave(): void {
    this.#isOver = true;
    clearInterval(this.#renewing);
    clearTimeout(this.#deadline);
    this.#place.leave();
  }

  /** What was written comes first. */
  async #finish(script: string): Promise<void> {
    clearInterval(this.#renewing);
    while (this.#sending && !this.#isOver) await Promise.race([this.#sending, this.lost]);
    if (this.#isOver) return;
    try {
      await this.#place.runAsOwner(script);
    } catch (cause) {
      throw this.#error(`stays as it is: ${messageOf(cause)}`, cause);
    } finally {
      this.#leave();
    }
  }

  #error(what: string, cause?: unknown): RuntimeError {
    return new RuntimeError('E_JOURNAL', `journal ${this.#place.shown} ${what}`, { cause });
  }
}

function encode(value: unknown): Buffer | undefined {
  if (value === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = encodeValue(value);
  return Buffer.from(buffer, byteOffset, byteLength);
}

function newBatch(): Batch {
  let keep: () => void = () => undefined;
  const kept = new Promise<void>((resolve) => {
    keep = resolve;
  });
  return { changes: new Map(), kept, keep };
}
