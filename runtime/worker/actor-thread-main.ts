/** Entry of an actor's thread: the actor lives here, the host's main thread keeps its links. */

import { type MessagePort, workerData } from 'node:worker_threads';
import type { ActorSurroundings } from '../actor/context.js';
import { type ConcurrencyLimits, Executor } from '../actor/executor.js';
import { makeHandle } from '../actor/handle.js';
import { classOf, Instance, importModule } from '../actor/instance.js';
import { RelayOutbound } from '../actor/relay.js';
import { RuntimeError } from '../errors.js';
import type { NodeId, ProcessId } from '../ids.js';
import { PartSpans, partSpan } from '../observe/part-spans.js';
import type { Resources } from '../resources.js';
import { collectGarbage } from '../store/garbage.js';
import { ThreadBorrower } from '../store/thread-lending.js';
import { ActorRef, ObjectLocator } from '../wire/address.js';
import type { Message } from '../wire/messages.js';
import { Peer } from '../wire/peer.js';
import { PortLink } from '../wire/port-link.js';
import { decodeValue, type Revive } from '../wire/value.js';

export interface ThreadData {
  readonly port: MessagePort;
  readonly file: string;
  readonly exportName: string;
  readonly args: Uint8Array;
  readonly limits: ConcurrencyLimits;
  /** The fields of the actor's reference: classes do not survive the way to a thread. */
  readonly self: { readonly [Field in keyof ActorRef]: ActorRef[Field] };
  readonly node: { readonly id: NodeId; readonly name: string };
  readonly resources: Resources;
}

const { port, file, exportName, args, limits, self, node, resources } = workerData as ThreadData;
const ref = new ActorRef(self.actor, self.node, self.label, self.address, self.taskRetries);
let instance: Instance | undefined;

const onLostError = (method: string, error: unknown): void =>
  console.error(`${ref.label}.${method} (told):`, error);
/** What the host asks of the thread rather than of its actor. */
const controls: Readonly<Record<string, () => Promise<void>>> = {
  start,
  collect: collectGarbage,
  dispose: stop,
};
const control = new Executor({
  invoke: (method) => controls[method]?.(),
  maxConcurrency: Number.POSITIVE_INFINITY,
  onLostError,
});
// The host has these limits too, and queues what is above them. But to the host an aborted call is over at once, while
// its method may still run here and keeps its place.
const actor = new Executor({
  ...limits,
  invoke: (method, values, options) => instance?.invoke(method, values, options),
  onLostError,
});

const revive: Revive = (to) =>
  to instanceof ObjectLocator ? outbound.borrow(to) : makeHandle(to, outbound);
const host: Peer = new Peer(
  'host' as ProcessId,
  'the host',
  { message: receive, closed: () => undefined },
  () => revive,
  { lending: new ThreadBorrower() },
);
const outbound = new RelayOutbound(host, ref.address.process, revive);
host.attach(new PortLink(port));

function receive(from: Peer, message: Message): void {
  switch (message.kind) {
    case 'call':
    case 'tell':
    case 'latest':
      (message.actor === ref.actor ? actor : control).receive(from, message);
      return;
    case 'cancel':
    case 'stream.credit':
      actor.receive(from, message);
      return;
    default:
      throw new Error(`unexpected ${message.kind} from the host`);
  }
}

const unreachable = (): never => {
  throw new RuntimeError(
    'E_CLOSED',
    'an actor on a thread has handles, but no access to the cluster',
  );
};
const parts = new PartSpans((spans) => outbound.parts(spans));
const surroundings: ActorSurroundings = {
  span: (name, start) => parts.add(partSpan(name, start)),
  note: (text) => outbound.note(text),
  self: ref,
  node,
  resources,
  get cluster(): never {
    return unreachable();
  },
  module: unreachable,
  exit: () => {
    // Without a host to ask this thread has ended already.
    actor
      .drain()
      .then(() => outbound.kill(ref))
      .catch(() => undefined);
  },
};

async function start(): Promise<void> {
  const Class = classOf(await importModule(file), exportName);
  const values = decodeValue(args, revive);
  instance = Instance.create(surroundings, Class, values as readonly unknown[]);
}

async function stop(): Promise<void> {
  actor.stop();
  await instance?.dispose();
  parts.flush();
}
