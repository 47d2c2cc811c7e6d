/** A driver's connection to a cluster. */

import { readFileSync } from 'node:fs';
import { type ActorHandle, makeHandle } from '../actor/handle.js';
import { EndpointOutbound } from '../actor/outbound.js';
import { messageOf, RuntimeError } from '../errors.js';
import { hashOf } from '../head/code-store.js';
import type { ClusterStatus } from '../head/state.js';
import { type Resources, toQuantities } from '../resources.js';
import { TaskClient } from '../task/task-client.js';
import { tokenFile } from '../token.js';
import type { ActorRef } from '../wire/address.js';
import { Endpoint } from '../wire/endpoint.js';
import type { GroupStrategy } from '../wire/messages.js';
import type { Peer } from '../wire/peer.js';
import { type BundleOptions, bundle } from './bundle.js';
import { PlacementGroup } from './group.js';
import { type Remote, remoteModule } from './remote.js';

export interface ConnectOptions {
  /** `ws://host:port` of the head. @default PATCHBAY_ADDRESS */
  readonly address?: string;
  /** @default PATCHBAY_TOKEN, else the content of the token file of `patchbay start --head` */
  readonly token?: string;
}

/**
 * Connect to a running cluster.
 *
 * @throws RuntimeError `E_OPTION` without an address, `E_TOKEN`, `E_UNREACHABLE`, `E_PROTOCOL`.
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
  return Cluster.open(address, options.token ?? knownToken());
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

export interface GroupOptions {
  /**
   * `pack` and `spread` prefer few or many nodes, the strict ones insist. @default 'pack'
   */
  readonly strategy?: GroupStrategy;
  readonly signal?: AbortSignal;
}

export class Cluster implements AsyncDisposable {
  readonly address: string;
  readonly #endpoint: Endpoint;
  readonly #head: Peer;
  readonly #outbound: EndpointOutbound;
  readonly #tasks: TaskClient;

  private constructor(address: string, endpoint: Endpoint, head: Peer, outbound: EndpointOutbound) {
    this.address = address;
    this.#endpoint = endpoint;
    this.#head = head;
    this.#outbound = outbound;
    this.#tasks = new TaskClient(() => Promise.resolve(head), outbound);
  }

  /** @throws RuntimeError `E_TOKEN`, `E_UNREACHABLE`, `E_PROTOCOL`. */
  static async open(address: string, token: string): Promise<Cluster> {
    const outbound: EndpointOutbound = new EndpointOutbound(
      new Endpoint({
        role: 'driver',
        token,
        // The head's answers hold references; anyone else's hold handles.
        revive: (peer) => (ref) => (peer === head ? ref : makeHandle(ref, outbound)),
        events: { message: () => undefined },
      }),
      () => Promise.resolve(head),
    );
    const head: Peer = await outbound.endpoint.connect(address);
    return new Cluster(address, outbound.endpoint, head, outbound);
  }

  /**
   * The typed twin of a module: `cluster.load<typeof import('./lib.js')>(new URL('./lib.js', import.meta.url))`. The
   * module is bundled, named by its content and uploaded once.
   *
   * @throws RuntimeError `E_BUNDLE`.
   */
  async load<Module>(module: URL, options: BundleOptions = {}): Promise<Remote<Module>> {
    const { source, externals, exports } = await bundle(module, options);
    const code = hashOf(source);
    if (!(await this.#head.request<boolean>({ kind: 'code.has', code }))) {
      await this.#head.request({ kind: 'code.put', code, source, externals });
    }
    return remoteModule<Module>({ code, exports }, this.#head, this.#outbound, this.#tasks);
  }

  /** @throws RuntimeError `E_NAME_UNKNOWN`. */
  async actor<T>(name: string): Promise<ActorHandle<T>> {
    const ref = await this.#head.request<ActorRef>({ kind: 'actor.find', name });
    return makeHandle<T>(ref, this.#outbound);
  }

  /**
   * Reserve bundles of resources, all or none; waits while they are in use.
   *
   * @throws RuntimeError `E_NO_ROOM` at once if the cluster can never hold them.
   */
  async group(bundles: readonly Resources[], options: GroupOptions = {}): Promise<PlacementGroup> {
    const { strategy = 'pack', signal } = options;
    const id = await this.#head.request<PlacementGroup['id']>(
      { kind: 'group.create', bundles: bundles.map(toQuantities), strategy },
      signal ? { signal } : {},
    );
    return new PlacementGroup(id, this.#head);
  }

  status(): Promise<ClusterStatus> {
    return this.#head.request({ kind: 'status' });
  }

  /** Leave. The head ends what this driver created. */
  async close(): Promise<void> {
    this.#tasks.close();
    await this.#endpoint.close('the driver leaves');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
