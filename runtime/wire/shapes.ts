/**
 * Messages on the wire are positional: their number in the table below, then their fields in the order given there. Here
 * they are checked on arrival; inside, types are trusted.
 */

import { strategies } from './actor-spec.js';
import {
  actorExit,
  actorSpec,
  address,
  any,
  bytes,
  type Check,
  count,
  error,
  flag,
  gpu,
  jobEnd,
  jobExit,
  jobSpec,
  labels,
  list,
  listOf,
  livingActor,
  livingJob,
  nodeStats,
  objectPlace,
  oneOf,
  outputLine,
  quantities,
  real,
  taskCount,
  text,
} from './checks.js';
import type { Message, MessageKind, MessageOf } from './messages.js';

type Shape<Kind extends MessageKind> = {
  readonly [Field in Exclude<keyof MessageOf<Kind>, 'kind'>]-?: Check;
};

/** New kinds go at the end: the place in this table is the number on the wire. */
const shapes: { readonly [Kind in MessageKind]: Shape<Kind> } = {
  call: { id: count, actor: text, method: text, args: list, stream: flag },
  tell: { actor: text, method: text, args: list },
  latest: {
    sender: text,
    to: address,
    actor: text,
    slot: text,
    credits: count,
    method: text,
    args: list,
  },
  'latest.credit': { sender: text, actor: text, slot: text },
  cancel: { id: count },
  'stream.credit': { id: count, count },
  reply: { id: count, value: any },
  error: { id: count, error },
  'stream.item': { id: count, value: any },
  'stream.end': { id: count },
  'node.join': {
    id: count,
    node: text,
    name: text,
    resources: quantities,
    gpus: listOf(gpu),
    labels,
  },
  'node.beat': { node: text, lagMs: real },
  'actor.alive': { actor: text, address },
  'actor.exited': { actor: text, cause: error },
  'actor.create': { id: count, spec: actorSpec },
  'actor.find': { id: count, name: text, namespace: text },
  'actor.kill': { id: count, actor: text },
  'actor.verdict': { id: count, actor: text, process: text },
  'group.create': {
    id: count,
    bundles: listOf(quantities),
    strategy: oneOf(...strategies),
    labelSelector: labels,
  },
  'group.remove': { id: count, group: text },
  'code.put': { id: count, code: text, source: bytes, externals: listOf(text) },
  'code.has': { id: count, code: text },
  'code.get': { id: count, code: text },
  status: { id: count },
  'actor.start': {
    actor: text,
    label: text,
    spec: actorSpec,
    gpus: listOf(text),
    snapshot: bytes,
    owner: text,
    request: count,
    restarts: count,
  },
  'actor.stop': { actor: text },
  'node.stop': { why: text },
  'host.ready': { pid: count },
  'host.start': {
    id: count,
    actor: text,
    spec: actorSpec,
    snapshot: bytes,
    file: text,
    label: text,
    node: text,
    nodeName: text,
    headUrl: text,
  },
  'host.stop': { id: count },
  'host.rest': { id: count },
  'actor.waiting': { actor: text, waiting: flag },
  'object.get': { id: count, object: text, lost: text },
  'object.hold': { objects: listOf(text) },
  'object.free': { object: text },
  'log.lines': { id: count, actor: text, label: text, node: text, lines: listOf(outputLine) },
  'log.want': { wanted: flag },
  'log.flush': { id: count },
  'log.read': { id: count, actor: text, tail: count, follow: flag },
  'host.stats': { tasks: listOf(taskCount), latestDropped: count },
  'node.stats': { node: text, stats: nodeStats },
  stats: { id: count },
  'trace.get': { id: count },
  'actor.snapshot': { actor: text, state: bytes },
  'job.submit': { id: count, job: text, spec: jobSpec },
  'job.list': { id: count },
  'job.status': { id: count, job: text },
  'job.wait': { id: count, job: text },
  'job.kill': { id: count, job: text },
  'job.delete': { id: count, job: text },
  'job.join': { id: count, job: text },
  'job.start': { job: text, submittedAt: count, spec: jobSpec, gpus: listOf(text) },
  'job.stop': { job: text },
  'job.started': { job: text, submittedAt: count, members: listOf(text) },
  'job.exited': { job: text, submittedAt: count, end: jobEnd },
  'job.over': { job: text, why: text },
  'store.allocate': { id: count, key: text, bytes: count, pid: count },
  'store.seal': { key: text },
  'store.pin': { id: count, key: text, pid: count },
  'store.unpin': { keys: listOf(text) },
  'store.fetch': { id: count, place: objectPlace, pid: count },
  'store.read': { id: count, key: text, offset: count, bytes: count },
  'store.hold': { keys: listOf(text) },
  'store.free': { keys: listOf(text) },
  'store.collect': { id: count },
  'store.list': { id: count },
  'node.rejoin': {
    node: text,
    actors: listOf(livingActor),
    exits: listOf(actorExit),
    jobs: listOf(livingJob),
    jobExits: listOf(jobExit),
  },
  'tasks.list': { id: count, limit: count },
  'told.kept': { id: count },
  'actor.note': { actor: text, note: text },
  'lent.offer': { id: count, pid: count, fd: count, bytes: count, mark: text, at: count },
  'lent.back': { offsets: listOf(count) },
};

const kinds = Object.keys(shapes) as MessageKind[];
const numbers = new Map(kinds.map((kind, number) => [kind, number]));
const fields = kinds.map((kind) => Object.entries(shapes[kind] as Record<string, Check>));

export const messageKinds: readonly MessageKind[] = kinds;

export function toPositional(message: Message): unknown[] {
  const number = numbers.get(message.kind)!;
  const out: unknown[] = [number];
  for (const [field] of fields[number]!)
    out.push((message as never as Record<string, unknown>)[field]);
  return out;
}

/** The message, or in words why it is none. */
export function fromPositional(row: unknown): Message | string {
  if (!Array.isArray(row)) return 'a message that is not a list';
  const number: unknown = row[0];
  if (typeof number !== 'number') return 'a message without a number';
  const shape = fields[number];
  if (!shape) return `unknown message number ${number}`;
  const kind = kinds[number]!;
  if (row.length !== shape.length + 1) return `${kind} with ${row.length - 1} fields`;
  const message: Record<string, unknown> = { kind };
  for (let index = 0; index < shape.length; index++) {
    const [field, check] = shape[index]!;
    const value: unknown = row[index + 1];
    if (!check(value)) return `${kind} with a wrong ${field}`;
    message[field] = value;
  }
  return message as unknown as Message;
}
