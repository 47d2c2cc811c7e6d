/** A Redis or Valkey server of the test's own. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { createClient } from '@redis/client';
import { freePort } from './restarting-cluster.js';
import { tempFolder } from './temp-folder.js';
import { until } from './until.js';

const installMs = 120_000;

/** From PATH; in a container that has none, from its distribution. Undefined if there is none to be had. */
export function redisProgram(): string | undefined {
  const found = inPath();
  if (found || process.getuid?.() !== 0) return found;
  const options = { stdio: 'ignore', timeout: installMs } as const;
  try {
    execFileSync('apt-get', ['update', '-q'], options);
    const install = ['install', '-y', '-q', '--no-install-recommends', 'redis-server'];
    // Nor shall it be started.
    execFileSync('apt-get', install, { ...options, env: { ...process.env, RUNLEVEL: '1' } });
  } catch {
    return undefined;
  }
  return inPath();
}

const inPath = (): string | undefined =>
  ['valkey-server', 'redis-server'].find(
    (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
  );

export class RedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #program: string;
  readonly #port: number;
  readonly #folder: string = tempFolder('redis');
  #child: ChildProcess | undefined;

  private constructor(program: string, port: number) {
    this.#program = program;
    this.#port = port;
    this.url = `redis://127.0.0.1:${port}`;
    mkdirSync(this.#folder, { recursive: true });
  }

  static async start(program: string): Promise<RedisServer> {
    const server = new RedisServer(program, await freePort());
    await server.start();
    return server;
  }

  /** Once more, with what it held. */
  async start(): Promise<void> {
    const options = {
      port: String(this.#port),
      bind: '127.0.0.1',
      dir: this.#folder,
      save: '',
      appendonly: 'yes',
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    this.#child = spawn(this.#program, args, { stdio: 'ignore' });
    await until('the server listens', () => isOpen(this.#port));
  }

  async command(...args: readonly string[]): Promise<unknown> {
    const client = await createClient({ url: this.url }).connect();
    try {
      return await client.sendCommand([...args]);
    } finally {
      client.destroy();
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
