/** Where a journal lies on a Redis or Valkey server, and the lock by which one head at a time has it. */

import { setTimeout as pause } from 'node:timers/promises';
import { nanoid } from 'nanoid';
import * as z from 'zod';
import { RuntimeError } from '../errors.js';
import { isSameProcess, startTime } from '../start-time.js';
import { machine } from '../wire/endpoint.js';
import * as scripts from './redis-scripts.js';

type Client = Awaited<ReturnType<typeof connect>>;

const ownerShape = z.object({
  id: z.string(),
  machine: z.string(),
  pid: z.int().positive(),
  startedAt: z.string(),
});

export interface LockOptions {
  readonly lockMs: number;
  readonly fresh: boolean;
  /** Told when the lock has to be waited for. */
  readonly warn: (text: string) => void;
}

export const retryMs = 100;

export class RedisPlace {
  /** For texts: without what is secret. */
  readonly shown: string;
  readonly #client: Client;
  readonly #keys: readonly [rows: string, owner: string];
  readonly #me: string = JSON.stringify({
    id: nanoid(12),
    machine,
    pid: process.pid,
    startedAt: startTime(process.pid),
  });

  private constructor(client: Client, { shown, name }: Named) {
    this.#client = client;
    this.shown = shown;
    // Both in one slot, should the server be part of a cluster.
    this.#keys = [`patchbay:{${name}}:rows`, `patchbay:{${name}}:owner`];
  }

  static async open(named: Named, lockMs: number): Promise<RedisPlace> {
    return new RedisPlace(await connect(named.server, lockMs), named);
  }

  /** What cannot be sent now, or is not answered because the link breaks, rejects. */
  run(script: string, args: readonly (string | Buffer)[] = []): Promise<unknown> {
    return this.#client.sendCommand(['EVAL', script, '2', ...this.#keys, ...args]);
  }

  /** The same for whoever has the lock: false if that is another. */
  async runAsOwner(script: string, args: readonly (string | Buffer)[] = []): Promise<boolean> {
    return (await this.run(script, [this.#me, ...args])) === 1;
  }

  leave(): void {
    if (this.#client.isOpen) this.#client.destroy();
  }

  /**
   * A head that was killed on this machine is known to be dead, any other one once its lock has run out.
   *
   * @returns When it was asked for, by `performance.now`.
   */
  async lock({ lockMs, fresh, warn }: LockOptions): Promise<number> {
    let dead = '';
    let leftMs: number | undefined;
    for (;;) {
      const askedAt = performance.now();
      const args = [this.#me, String(lockMs), dead, fresh ? 'fresh' : ''];
      const held = (await this.run(scripts.take, args)) as readonly [Buffer, number] | null;
      if (!held) return askedAt;
      const text = held[0].toString();
      const owner = ownerShape.parse(JSON.parse(text));
      const isHere = owner.machine === machine && owner.startedAt !== '';
      if (isHere && !isSameProcess(owner)) {
        dead = text;
        continue;
      }
      const who = `process ${owner.pid} on ${owner.machine}`;
      // The lock of a head that lives is renewed.
      if (isHere || (leftMs !== undefined && held[1] > leftMs)) {
        throw new Error(`in use by ${who}; stop it, or choose another name`);
      }
      if (leftMs === undefined) warn(`journal ${this.shown} is held by ${who}: is that dead?`);
      leftMs = held[1];
      await pause(Math.min(leftMs + 1, lockMs / 60));
    }
  }
}

interface Named {
  /** With what may be secret. */
  readonly server: string;
  readonly shown: string;
  readonly name: string;
}

/** @throws RuntimeError `E_JOURNAL`. */
export function placeNamed(text: string): Named {
  if (!URL.canParse(text)) throw new RuntimeError('E_JOURNAL', `journal ${text} is no URL`);
  const url = new URL(text);
  const name = url.searchParams.get('name') ?? 'patchbay';
  url.search = '';
  const shown = `${url.protocol}//${url.host}${url.pathname}?name=${name}`;
  return { server: url.href, shown, name };
}

/** What cannot be sent at once fails at once: the journal knows what to send again, and until when. */
async function connect(url: string, lockMs: number) {
  // Few heads have such a journal.
  const { createClient, RESP_TYPES } = await import('@redis/client');
  let isOpen = false;
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
    socket: {
      connectTimeout: 5_000,
      socketTimeout: lockMs / 3,
      reconnectStrategy: (_, cause) => (isOpen ? retryMs : cause),
    },
  });
  // Whoever sends something hears of it.
  client.on('error', () => undefined);
  await client.connect();
  isOpen = true;
  return client;
}
