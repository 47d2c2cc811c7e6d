/** The actor of a host, made of what its creator asked for: on the host's own thread or on one of its own, or a module's tasks. */

import type { ActorIdentity, ActorSurroundings } from '../actor/context.js';
import { type ConcurrencyLimits, Executor, type Invoke } from '../actor/executor.js';
import type { Outbound } from '../actor/handle.js';
import {
  type ActorClass,
  classOf,
  functionsOf,
  Instance,
  importModule,
  optionsOf,
} from '../actor/instance.js';
import { hasSnapshots, restore, Snapshots } from '../actor/snapshots.js';
import type { ClusterClient } from '../client/cluster-client.js';
import { RuntimeError } from '../errors.js';
import type { Objects } from '../object/objects.js';
import type { HostWatch } from '../observe/host-watch.js';
import { partSpan } from '../observe/part-spans.js';
import { toResources } from '../resources.js';
import { taskInvoke } from '../task/task-invoke.js';
import { ActorRef } from '../wire/address.js';
import type { Endpoint } from '../wire/endpoint.js';
import type { MessageOf } from '../wire/messages.js';
import { decodeValue, type Revive } from '../wire/value.js';
import { ActorThread } from './actor-thread.js';

/** What the host needs of its actor, wherever it runs. */
export interface Living {
  readonly invoke: Invoke;
  /** Takes a message of the latest-wins lane as the frame it came in. @default the executor runs it */
  latest?(frame: Uint8Array<ArrayBuffer>): void;
  /** Looks for garbage on the actor's own thread. @default it lives on the host's */
  collect?(): Promise<void>;
  dispose(): Promise<void>;
}

export interface HostedActor {
  readonly living: Living;
  readonly executor: Executor;
  readonly ref: ActorRef;
}

/** What an actor needs of its host. */
export interface HostSite {
  readonly endpoint: Endpoint;
  readonly outbound: Outbound;
  readonly objects: Objects;
  readonly revive: Revive;
  readonly watch: HostWatch;
  /** The actor's own access to the cluster. */
  readonly client: () => ClusterClient;
  readonly keepSnapshot: (message: MessageOf<'actor.snapshot'>) => void;
  readonly note: (message: MessageOf<'actor.note'>) => void;
  /** Ends the actor from inside. */
  readonly exit: (here: HostedActor) => void;
}

type Start = MessageOf<'host.start'>;

/** @throws RuntimeError `E_ACTOR_START` with the constructor's error as its cause, `E_EXPORT`. */
export async function openActor(start: Start, site: HostSite): Promise<HostedActor> {
  const { actor, spec, snapshot, file, label, node, nodeName } = start;
  const { client, endpoint, objects, revive, watch } = site;
  let here: HostedActor | undefined;
  const ref = new ActorRef(actor, node, label, endpoint.address, spec.maxTaskRetries);
  const module = await importModule(file);
  const isWorker = spec.exportName === '';
  const surroundings: ActorSurroundings = {
    span: (name, start) => watch.parts([partSpan(name, start)]),
    note: (text) => {
      if (!isWorker) site.note({ kind: 'actor.note', actor, note: text });
    },
    self: ref,
    node: { id: node, name: nodeName },
    resources: toResources(spec.resources),
    cluster: client(),
    module: <M>() => client().twin<M>({ code: spec.code, exports: Object.keys(module) }),
    exit: () => {
      if (isWorker || !here) {
        throw new RuntimeError('E_CLOSED', 'exit() is for methods of actors; a task just returns');
      }
      site.exit(here);
    },
  };
  const Class = isWorker ? undefined : classOf(module, spec.exportName);
  const limits = limitsOf(start, Class);
  const living = Class
    ? await openInstance(surroundings, Class, limits, start, site)
    : Instance.of(surroundings, functionsOf(module));
  if (snapshot.length > 0) await restore(living.invoke, decodeValue(snapshot, revive));
  const invoke = isWorker ? taskInvoke(living.invoke, objects) : living.invoke;
  const watched = watch.watch(invoke, isWorker ? 'task' : 'actor');
  const snapshots =
    Class && spec.maxRestarts && hasSnapshots(Class)
      ? new Snapshots({
          label,
          actor,
          executor: () => here?.executor,
          send: (state) => site.keepSnapshot({ kind: 'actor.snapshot', actor, state }),
          everyMs: optionsOf(Class).snapshotMs,
        })
      : undefined;
  const executor = new Executor({
    invoke: snapshots?.watch(watched) ?? watched,
    ...limits,
    ...(spec.maxPending === undefined ? {} : { maxPending: spec.maxPending }),
    onLostError: (method, error) => console.error(`${label}.${method} (told):`, error),
  });
  here = { living, executor, ref };
  return here;
}

function limitsOf({ spec }: Start, Class: ActorClass | undefined): ConcurrencyLimits {
  const options = Class ? optionsOf(Class) : {};
  return {
    maxConcurrency: spec.maxConcurrency ?? options.maxConcurrency ?? 1,
    groups: Object.values(options.concurrencyGroups ?? {}),
  };
}

async function openInstance(
  surroundings: ActorSurroundings,
  Class: ActorClass,
  limits: ConcurrencyLimits,
  { spec, file }: Start,
  { outbound, endpoint, objects, revive, watch }: HostSite,
): Promise<Living> {
  if (spec.thread ?? optionsOf(Class).thread) {
    const { self, node, resources, note } = surroundings;
    const identity: ActorIdentity = { self, node, resources };
    return ActorThread.start({
      identity,
      note,
      file,
      spec,
      limits,
      outbound,
      endpoint,
      objects,
      watch,
    });
  }
  const args = decodeValue(spec.args, revive);
  return Instance.create(surroundings, Class, args as readonly unknown[]);
}
