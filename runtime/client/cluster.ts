/** A driver's connection to a cluster. */

import { readFileSync } from 'node:fs';
import { makeHandle } from '../actor/handle.js';
import { EndpointOutbound } from '../actor/outbound.js';
import { messageOf, RuntimeError } from '../errors.js';
import { Objects } from '../object/objects.js';
import { DriverLogs, type LogToDriver, type ReadLogOptions } from '../observe/driver-logs.js';
import type {
  NodeStats,
  NodeTrace,
  OutputLine,
  StoredObject,
  TaskRun,
} from '../observe/reports.js';
import { DriverStore } from '../store/driver-store.js';
import { SharedLending } from '../store/shared-lending.js';
import { tokenFile } from '../token.js';
import { ObjectLocator } from '../wire/address.js';
import { Endpoint } from '../wire/endpoint.js';
import { localAddressTowards } from '../wire/local-address.js';
import type { Peer } from '../wire/peer.js';
import { type TlsOptions, tlsOf } from '../wire/tls.js';
import type { Revive } from '../wire/value.js';
import { ClusterClient, type ClusterClientOptions } from './cluster-client.js';

export interface ConnectOptions {
  /** `ws://host:port` or `wss://host:port` of the head. @default PATCHBAY_ADDRESS */
  readonly address?: string;
  /** @default PATCHBAY_TOKEN, else the content of the token file of `patchbay start --head` */
  readonly token?: string;
  /** For a head at `wss://`. @default { ca: PATCHBAY_TLS_CA } */
  readonly tls?: TlsOptions;
  /** Where this program's actors have their names, and where it looks for those of others. @default 'default' */
  readonly namespace?: string;
  /** Print what this program's actors and tasks print, take each line, or leave them to `patchbay logs`. @default true */
  readonly logToDriver?: LogToDriver;
  /** Shared memory for what this program puts. @default 30 % of the machine's, and no more than /dev/shm has */
  readonly objectStoreBytes?: number;
  /**
   * Wait for so long, in milliseconds, for a head that was killed to be started again; what was asked of it waits, calls
   * of actors go on. After that whoever waits hears `E_PEER_LOST`. A head without a journal is not waited for. @default 60_000
   */
  readonly reconnectTimeoutMs?: number;
}

const defaultReconnectMs = 60_000;

/**
 * Connect to a running cluster. A program that is the entry point of a job, or was started by it, finds the cluster of the
 * job, and what it creates ends with the job.
 *
 * @throws RuntimeError `E_OPTION` without an address, `E_TOKEN`, `E_TLS`, `E_UNREACHABLE`, `E_PROTOCOL`, and `E_JOB_STATE` or
 * `E_JOB_UNKNOWN` if the job of this program is over.
 */
export async function connect(options: ConnectOptions = {}): Promise<Cluster> {
  const address = options.address ?? process.env['PATCHBAY_ADDRESS'];
  if (!address) {
    throw new RuntimeError(
      'E_OPTION',
      'no cluster address: pass one, set PATCHBAY_ADDRESS, or use startCluster()',
    );
  }
  if (!/^wss?:\/\/[^/]+/.test(address)) {
    throw new RuntimeError('E_OPTION', `address ${address} is not of the form ws://host:port`);
  }
  const cluster = await Cluster.open(address, options.token ?? knownToken(), options);
  const job = process.env['PATCHBAY_JOB'];
  if (!job || address !== process.env['PATCHBAY_ADDRESS']) return cluster;
  try {
    await cluster.jobs.join(job);
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

function knownToken(): string {
  const token = process.env['PATCHBAY_TOKEN'];
  if (token) return token;
  try {
    return readFileSync(tokenFile(), 'utf8').trim();
  } catch (cause) {
    const text = `no token: set PATCHBAY_TOKEN or copy the head's token to ${tokenFile()} (${messageOf(cause)})`;
    throw new RuntimeError('E_TOKEN', text, { cause });
  }
}

function knownAuthorities(): TlsOptions {
  const ca = process.env['PATCHBAY_TLS_CA'];
  return ca ? { ca } : {};
}

export class Cluster extends ClusterClient implements AsyncDisposable {
  readonly address: string;
  readonly #endpoint: Endpoint;
  readonly #head: Peer;
  readonly #logs: DriverLogs | undefined;
  readonly #store: DriverStore;

  private constructor(
    address: string,
    endpoint: Endpoint,
    head: Peer,
    logs: DriverLogs | undefined,
    store: DriverStore,
    options: ClusterClientOptions,
  ) {
    super(options);
    this.address = address;
    this.#endpoint = endpoint;
    this.#head = head;
    this.#logs = logs;
    this.#store = store;
  }

  /** @throws RuntimeError `E_TOKEN`, `E_TLS`, `E_UNREACHABLE`, `E_PROTOCOL`. */
  static async open(
    address: string,
    token: string,
    {
      logToDriver = true,
      namespace,
      objectStoreBytes,
      reconnectTimeoutMs: timeoutMs = defaultReconnectMs,
      tls,
    }: Omit<ConnectOptions, 'address' | 'token'> = {},
  ): Promise<Cluster> {
    const logs = logToDriver === false ? undefined : new DriverLogs(logToDriver);
    const revive: Revive = (ref) =>
      ref instanceof ObjectLocator ? objects.borrow(ref) : makeHandle(ref, outbound);
    const endpoint = new Endpoint({
      role: 'driver',
      token,
      ...tlsOf(address, tls ?? (address.startsWith('wss:') ? knownAuthorities() : {})),
      revive: () => revive,
      lending: (own) => new SharedLending(own),
      events: {
        message: (from, message) => {
          if (message.kind === 'job.over') from.close(message.why);
          else if (logs?.serve(from, message) || objects.serve(from, message)) return;
          else store.serve(from, message);
        },
        left: (from) => store.left(from),
      },
    });
    const store = new DriverStore(endpoint, objectStoreBytes);
    const objects = new Objects({ endpoint, home: () => store.home, revive });
    const head = (): Promise<Peer> => Promise.resolve(peer);
    const outbound: EndpointOutbound = new EndpointOutbound(endpoint, head);
    let peer: Peer;
    try {
      peer = await endpoint.connect(address, {
        timeoutMs,
        greeting: () => (logs ? [{ kind: 'log.want', wanted: true }] : []),
      });
      // Refs that this program passes on are fetched from it.
      await endpoint.listen({ host: await localAddressTowards(address), port: 0 });
    } catch (error) {
      objects.close();
      await endpoint.close('it could not connect');
      store.close();
      throw error;
    }
    const own = namespace === undefined ? {} : { namespace };
    return new Cluster(address, endpoint, peer, logs, store, { head, outbound, objects, ...own });
  }

  /**
   * What an actor has printed, as far as the head remembers, and what it prints on.
   *
   * @param actor Name or id; it may be dead.
   * @throws RuntimeError `E_NAME_UNKNOWN`.
   */
  async *logs(actor: string, options: ReadLogOptions = {}): AsyncGenerator<OutputLine> {
    const { tail = 1_000, follow = false, signal } = options;
    const lists = this.#head.stream<readonly OutputLine[]>(
      { kind: 'log.read', actor, tail, follow },
      signal ? { signal } : {},
    );
    for await (const lines of lists) yield* lines;
  }

  /** How the hosts of every node are, by the node's name, as their agents told it last. */
  stats(): Promise<Readonly<Record<string, NodeStats>>> {
    return this.#head.request({ kind: 'stats' });
  }

  /** Tasks that run, and the last ones that have, at most `limit`, the newest first. @param limit Up to 10,000. */
  taskRuns(limit = 1_000): Promise<readonly TaskRun[]> {
    return this.#head.request({ kind: 'tasks.list', limit });
  }

  /** Large objects in the stores of all nodes and drivers. */
  storedObjects(): Promise<readonly StoredObject[]> {
    return this.#head.request({ kind: 'store.list' });
  }

  /** The last calls and tasks of every host. */
  trace(): Promise<readonly NodeTrace[]> {
    return this.#head.request({ kind: 'trace.get' });
  }

  /** Leave, once what was printed has arrived. The head ends what this driver created. */
  async close(): Promise<void> {
    await this.#logs?.drain(this.#head);
    this.tasks.close();
    this.objects.close();
    await this.#endpoint.close('the driver leaves');
    this.#store.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
