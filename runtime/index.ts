/** Patchbay's runtime: a cluster of processes in which actors live, typed all through. */

export { type ActorContext, type ActorIdentity, context } from './actor/context.js';
export type {
  ActorHandle,
  CallOptions,
  HandleMembers,
  LatestOptions,
  RemoteMethods,
  StreamMethods,
  TellMethods,
} from './actor/handle.js';
export type { ActorOptions } from './actor/instance.js';
export type { BundleOptions } from './client/bundle.js';
export { Cluster, type ConnectOptions, connect } from './client/cluster.js';
export { ClusterClient, type GroupOptions } from './client/cluster-client.js';
export { PlacementGroup } from './client/group.js';
export type { JobOptions, Jobs } from './client/jobs.js';
export { LocalCluster, type LocalClusterOptions, startCluster } from './client/local-cluster.js';
export type { PlacementOptions } from './client/placement-options.js';
export type { CreateOptions, Remote, RemoteClass } from './client/remote.js';
export { ActorLostError, RemoteError, RuntimeError, type RuntimeErrorCode } from './errors.js';
export { Head, type HeadOptions } from './head/head.js';
export { type Change, type Journal, MemoryJournal, type Row } from './head/journal.js';
export { LmdbJournal, type LmdbJournalOptions } from './head/lmdb-journal.js';
export { RedisJournal, type RedisJournalOptions } from './head/redis-journal.js';
export type { ClusterStatus } from './head/state.js';
export type { ActorId, GroupId, JobId, NodeId, ProcessId } from './ids.js';
export type { LabelSelector, Labels } from './labels.js';
export { ObjectRef } from './object/object-ref.js';
export type { ArrayClass } from './object/shared-values.js';
export type { Waited, WaitOptions } from './object/waiting.js';
export type { LogLine, LogToDriver, ReadLogOptions } from './observe/driver-logs.js';
export type {
  HostTrace,
  NodeStats,
  NodeTrace,
  OutputLine,
  StoredObject,
  StoreStats,
  TaskCount,
  TaskRun,
} from './observe/reports.js';
export type { Resources } from './resources.js';
export type { RemoteFunction } from './task/remote-function.js';
export type { TaskOptions } from './task/task-options.js';
export type { GroupStrategy, SchedulingStrategy } from './wire/actor-spec.js';
export type { ActorRef } from './wire/address.js';
export type { JobPhase, JobStatus } from './wire/job-spec.js';
export type { Gpu } from './wire/messages.js';
export { Agent, type AgentOptions } from './worker/agent.js';
