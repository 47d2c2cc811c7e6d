/** What the fields of messages must look like on arrival. Whoever handles a message relies on it. */

import { ObjectPlace } from './address.js';
import { jobEndPhases } from './job-spec.js';

export type Check = (value: unknown) => boolean;

export const text: Check = (value) => typeof value === 'string';
export const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
export const real: Check = (value) => typeof value === 'number';
export const flag: Check = (value) => typeof value === 'boolean';
export const bytes: Check = (value) => value instanceof Uint8Array;
export const list: Check = Array.isArray;
export const any: Check = () => true;

export const listOf =
  (item: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(item);

export const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);

const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const record =
  (shape: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(shape).every(([field, check]) => check(value[field]));

export const quantities: Check = (value) => isObject(value) && Object.values(value).every(count);

export const labels: Check = (value) => isObject(value) && Object.values(value).every(text);

export const address: Check = record({ process: text, machine: text, unix: text, url: text });

export const objectPlace: Check = (value) =>
  value instanceof ObjectPlace &&
  record({ key: text, bytes: count, node: text, store: address })(value);

export const gpu: Check = record({ index: count, uuid: text, name: text, memoryMb: real });

export const error: Check = (value) =>
  isObject(value) &&
  text(value['name']) &&
  text(value['message']) &&
  optional(text)(value['code']) &&
  optional(text)(value['stack']) &&
  optional(error)(value['cause']);

export const outputLine: Check = record({ stream: oneOf('stdout', 'stderr'), text });

export const taskCount: Check = record({ name: text, finished: count, failed: count });

export const nodeStats: Check = record({
  warm: count,
  busy: count,
  cpuSeconds: real,
  rssBytes: real,
  linesDropped: count,
  latestDropped: count,
  tasks: listOf(taskCount),
  store: record({ objects: count, bytes: count, spilledObjects: count, spilledBytes: count }),
});

const texts: Check = (value) => isObject(value) && Object.values(value).every(text);

const commandEntry: Check = record({ command: text, env: texts, cwd: optional(text) });
const moduleEntry: Check = record({ code: text, file: text, exportName: text, args: text });

const jobEntry: Check = (value) =>
  isObject(value) &&
  ((value['kind'] === 'command' && commandEntry(value)) ||
    (value['kind'] === 'module' && moduleEntry(value)));

export const jobSpec: Check = record({
  entry: jobEntry,
  resources: quantities,
  labelSelector: optional(labels),
  metadata: texts,
});

export const jobEnd: Check = record({
  phase: oneOf(...jobEndPhases),
  message: optional(text),
  exitCode: optional(count),
  result: optional(text),
});

/** A number of times, or -1 for ever. */
const times: Check = (value) => Number.isSafeInteger(value) && (value as number) >= -1;

export const actorSpec: Check = record({
  code: text,
  exportName: text,
  args: bytes,
  resources: quantities,
  name: optional(text),
  bundle: optional(record({ group: text, index: count })),
  namespace: optional(text),
  schedulingStrategy: optional(
    (value) =>
      value === 'spread' ||
      value === 'pack' ||
      (isObject(value) && text(value['node']) && optional(flag)(value['soft'])),
  ),
  near: optional(text),
  labelSelector: optional(labels),
  thread: optional(flag),
  maxConcurrency: optional((value) => real(value) && (value as number) >= 1),
  maxPending: optional(count),
  maxRestarts: optional(times),
  maxTaskRetries: optional(times),
  detached: optional(flag),
  reusable: optional(flag),
  getIfExists: optional(flag),
});

export const livingActor: Check = record({
  actor: text,
  label: text,
  spec: actorSpec,
  owner: text,
  request: count,
  restarts: count,
  gpus: listOf(text),
  address: optional(address),
});

export const actorExit: Check = record({ actor: text, restarts: count, cause: error });

export const livingJob: Check = record({
  job: text,
  submittedAt: count,
  members: listOf(text),
  isStarted: flag,
});

export const jobExit: Check = record({ job: text, submittedAt: count, end: jobEnd });
