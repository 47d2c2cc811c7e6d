/** A cluster by hand, of which the head is killed and started again at its address. */

import { createServer } from 'node:net';
import { type Cluster, type ConnectOptions, connect } from '../../runtime/index.js';
import { type Command, Terminal } from './command.js';
import { tempFolder } from './temp-folder.js';

// Nodes make their folders here: those of other tests are none of ours.
process.env['TMPDIR'] = tempFolder('t');

/** On a machine that is busy with other tests a process may take long to start. */
const patienceMs = 110_000;

export class RestartingCluster implements AsyncDisposable {
  readonly terminal: Terminal = new Terminal();
  readonly url: string;
  readonly nodes: Command[] = [];
  readonly #port: number;
  readonly #headOptions: readonly string[];
  readonly #drivers: Cluster[] = [];
  #head: Command | undefined;

  private constructor(port: number, headOptions: readonly string[]) {
    this.#port = port;
    this.#headOptions = headOptions;
    this.url = `ws://127.0.0.1:${port}`;
  }

  /** @param cpus Of each node. */
  static async start(
    cpus: readonly number[],
    ...headOptions: readonly string[]
  ): Promise<RestartingCluster> {
    const opened = new RestartingCluster(await freePort(), headOptions);
    await opened.startHead();
    await Promise.all(cpus.map((amount, index) => opened.startNode(`n${index}`, amount)));
    return opened;
  }

  get head(): Command {
    return this.#head!;
  }

  async startHead(...options: readonly string[]): Promise<void> {
    const where = ['--port', String(this.#port), ...this.#headOptions];
    this.#head = this.terminal.start('start', '--head', ...where, ...options);
    await this.#head.printed(/patchbay stop/);
  }

  async startNode(name: string, cpus: number, ...options: readonly string[]): Promise<Command> {
    const where = ['--address', this.url, '--name', name, '--cpus', String(cpus)];
    const patience = ['--reconnect-timeout', String(patienceMs / 1_000)];
    const node = this.terminal.start('start', ...where, ...patience, ...options);
    await node.printed(/Node \S+ joined/);
    this.nodes.push(node);
    return node;
  }

  /** By SIGKILL: it can tell nobody. */
  async killHead(): Promise<void> {
    this.head.kill('SIGKILL');
    await this.head.outcome;
  }

  async connect(options: ConnectOptions = {}): Promise<Cluster> {
    const { url: address, terminal } = this;
    const driver = await connect({
      address,
      token: terminal.token(),
      logToDriver: false,
      reconnectTimeoutMs: patienceMs,
      ...options,
    });
    this.#drivers.push(driver);
    return driver;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#drivers.map((driver) => driver.close()));
    await this.terminal[Symbol.asyncDispose]();
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
