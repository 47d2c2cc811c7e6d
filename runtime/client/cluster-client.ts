/** What a program can ask of a cluster: a driver over its own connection, an actor or task over its host's. */

import type { ActorHandle, Outbound } from '../actor/handle.js';
import { LinkLostError } from '../errors.js';
import { hashOf } from '../head/code-store.js';
import type { ClusterStatus } from '../head/state.js';
import { type LabelSelector, requireSelector } from '../labels.js';
import type { ObjectRef } from '../object/object-ref.js';
import type { Objects } from '../object/objects.js';
import type { ArrayClass } from '../object/shared-values.js';
import { getAll, type Waited, type WaitOptions, waitFor } from '../object/waiting.js';
import { type Resources, toQuantities } from '../resources.js';
import { TaskClient, type TaskClientOptions } from '../task/task-client.js';
import type { GroupStrategy } from '../wire/actor-spec.js';
import type { ActorRef } from '../wire/address.js';
import type { Peer } from '../wire/peer.js';
import type { ActorProxy } from '../wire/value.js';
import { type BundleOptions, bundle } from './bundle.js';
import { PlacementGroup } from './group.js';
import { Jobs } from './jobs.js';
import { type LoadedCode, type Remote, remoteModule } from './remote.js';

export interface GroupOptions {
  /** `pack` and `spread` prefer few or many nodes, the strict ones insist. @default 'pack' */
  readonly strategy?: GroupStrategy;
  /** Only on nodes with such labels, as for actors. @default any node */
  readonly labelSelector?: LabelSelector;
  readonly signal?: AbortSignal;
}

export interface ClusterClientOptions extends TaskClientOptions {
  readonly head: () => Promise<Peer>;
  readonly outbound: Outbound;
}

export class ClusterClient {
  /** Programs that the cluster runs for whoever submits them, and that outlive them. */
  readonly jobs: Jobs;
  readonly #head: () => Promise<Peer>;
  protected readonly tasks: TaskClient;
  protected readonly objects: Objects;

  constructor(options: ClusterClientOptions) {
    this.#head = options.head;
    this.objects = options.objects;
    this.tasks = new TaskClient(options);
    this.jobs = new Jobs(options.head, (module, bundling) => this.#upload(module, bundling));
  }

  /**
   * The typed twin of a module: `cluster.load<typeof import('./lib.js')>(new URL('./lib.js', import.meta.url))`. The
   * module is bundled, named by its content and uploaded once.
   *
   * @throws RuntimeError `E_BUNDLE`.
   */
  async load<Module>(module: URL, options: BundleOptions = {}): Promise<Remote<Module>> {
    return this.twin<Module>(await this.#upload(module, options));
  }

  /** The typed twin of a module that the head has already. */
  twin<Module>(loaded: LoadedCode): Remote<Module> {
    return remoteModule<Module>(loaded, this.#head, this.tasks);
  }

  /**
   * @param namespace Where to look. @default this program's own
   * @throws RuntimeError `E_NAME_UNKNOWN`.
   */
  async actor<T>(name: string, namespace: string = this.tasks.namespace): Promise<ActorHandle<T>> {
    return (await this.#head()).request<ActorHandle<T>>({ kind: 'actor.find', name, namespace });
  }

  /**
   * Resolves with the cause of its death when an actor is dead for good; restarts of its own are waited through.
   *
   * @throws RuntimeError `E_ABORTED`, or `E_PEER_LOST` if the head is gone.
   */
  async untilDead(actor: { readonly ref: ActorRef }, signal?: AbortSignal): Promise<Error> {
    let { ref } = actor;
    while (true) {
      try {
        const head = await this.#head();
        const known = ref.address.process;
        const now = await head.request<ActorProxy>(
          { kind: 'actor.verdict', actor: ref.actor, process: known },
          signal ? { signal } : {},
        );
        ref = now.ref;
      } catch (error) {
        if (signal?.aborted || error instanceof LinkLostError) throw error;
        return error as Error;
      }
    }
  }

  /**
   * Reserve bundles of resources, all or none; waits while they are in use.
   *
   * @throws RuntimeError `E_NO_ROOM` at once if the cluster can never hold them.
   */
  async group(bundles: readonly Resources[], options: GroupOptions = {}): Promise<PlacementGroup> {
    const { strategy = 'pack', labelSelector = {}, signal } = options;
    requireSelector(labelSelector);
    const id = await (await this.#head()).request<PlacementGroup['id']>(
      { kind: 'group.create', bundles: bundles.map(toQuantities), strategy, labelSelector },
      signal ? { signal } : {},
    );
    return new PlacementGroup(id, this.#head);
  }

  /**
   * A ref to a value of this process. It is kept as long as anybody holds a ref to it; nobody may change it. A large one is
   * written to shared memory, where all processes of the machine read it; the ref rejects with `E_STORE_FULL` if it does
   * not fit.
   */
  put<T>(value: T): ObjectRef<T> {
    return this.objects.put(value);
  }

  /**
   * An array in shared memory, all zero: write to it, then `put` it, which copies nothing. From then on nobody may change
   * it. Where there is no shared memory it is an ordinary array.
   *
   * @throws RuntimeError `E_STORE_FULL`.
   */
  allocate<A extends ArrayBufferView>(Class: ArrayClass<A>, length: number): Promise<A> {
    return this.objects.shared.allocate(Class, length);
  }

  /**
   * The values of refs, in order.
   *
   * @throws RuntimeError `E_TIMEOUT`, `E_OBJECT_LOST`, or the error of the task that made one.
   */
  get<T>(refs: readonly ObjectRef<T>[], options: { timeoutMs?: number } = {}): Promise<T[]> {
    return getAll(refs, options.timeoutMs);
  }

  /** Which refs are settled, as soon as `count` are or `timeoutMs` has passed. */
  wait<T>(refs: readonly ObjectRef<T>[], options: WaitOptions = {}): Promise<Waited<T>> {
    return waitFor(refs, options);
  }

  /** Give objects up before the last ref to them is gone. */
  free(refs: readonly ObjectRef<unknown>[]): void {
    for (const ref of refs) this.objects.free(ref);
  }

  async status(): Promise<ClusterStatus> {
    return (await this.#head()).request({ kind: 'status' });
  }

  async #upload(module: URL, options: BundleOptions): Promise<LoadedCode> {
    const { source, externals, exports } = await bundle(module, options);
    const code = hashOf(source);
    const head = await this.#head();
    if (!(await head.request<boolean>({ kind: 'code.has', code }))) {
      await head.request({ kind: 'code.put', code, source, externals });
    }
    return { code, exports };
  }
}
