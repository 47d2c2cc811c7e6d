/** What rows of a journal must look like: it may be of another version, or damaged. */

import * as z from 'zod';
import type { WireError } from '../errors.js';
import type { NodeId, ProcessId } from '../ids.js';
import type { LabelSelector, Labels } from '../labels.js';
import type { Quantities } from '../resources.js';
import { type ActorSpec, strategies } from '../wire/actor-spec.js';
import type { Address } from '../wire/address.js';
import {
  actorSpec,
  address,
  bytes,
  error,
  gpu,
  jobEnd,
  jobSpec,
  labels,
  quantities,
} from '../wire/checks.js';
import type { JobEnd, JobSpec } from '../wire/job-spec.js';
import type { Gpu } from '../wire/messages.js';
import type { Code } from './code-store.js';
import type { ActorRow, GroupRow, HeadRow, JobRow, NodeRow } from './records.js';

const id = <Id extends string>() => z.custom<Id>((value) => typeof value === 'string');
const times = z.int().nonnegative();
const amounts = z.custom<Quantities>(quantities);
const request = z.object({ from: id<ProcessId>(), id: times });
const claimShape = z.object({
  node: id<NodeId>(),
  need: amounts,
  gpus: z.array(z.tuple([z.string(), z.number()])),
});
export const headShape: z.ZodType<HeadRow> = z.object({ cluster: id<ProcessId>(), epoch: times });
export const codeShape: z.ZodType<Code> = z.object({
  source: z.custom<Uint8Array>(bytes),
  externals: z.array(z.string()),
});
export const nodeShape: z.ZodType<NodeRow> = z.object({
  name: z.string(),
  agent: id<ProcessId>(),
  total: amounts,
  gpus: z.array(z.custom<Gpu>(gpu)),
  labels: z.custom<Labels>(labels),
});
export const actorShape: z.ZodType<ActorRow> = z.object({
  spec: z.custom<ActorSpec>(actorSpec),
  label: z.string(),
  creator: request,
  isEnding: z.boolean(),
  restarts: times,
  state: z.discriminatedUnion('phase', [
    z.object({ phase: z.literal('pending'), since: z.number() }),
    z.object({ phase: z.literal('starting'), claim: claimShape }),
    z.object({
      phase: z.literal('alive'),
      claim: claimShape,
      address: z.custom<Address>(address),
    }),
    z.object({ phase: z.literal('dead'), at: z.number(), cause: z.custom<WireError>(error) }),
  ]),
});
export const groupShape: z.ZodType<GroupRow> = z.object({
  strategy: z.enum(strategies),
  labelSelector: z.custom<LabelSelector>(labels),
  creator: request,
  since: z.number(),
  bundles: z.array(z.object({ need: amounts, claim: claimShape.nullable() })),
  phase: z.enum(['waiting', 'ready', 'removing']),
});
export const jobShape: z.ZodType<JobRow> = z.object({
  spec: z.custom<JobSpec>(jobSpec),
  submittedAt: z.number(),
  creator: request,
  isStopping: z.boolean(),
  members: z.array(id<ProcessId>()),
  state: z.discriminatedUnion('phase', [
    z.object({ phase: z.literal('pending'), since: z.number() }),
    z.object({ phase: z.literal('starting'), claim: claimShape }),
    z.object({ phase: z.literal('running'), claim: claimShape, startedAt: z.number() }),
    z.object({
      phase: z.literal('ended'),
      at: z.number(),
      end: z.custom<JobEnd>(jobEnd),
      node: z.string().exactOptional(),
      startedAt: z.number().exactOptional(),
    }),
  ]),
});
export const snapshotShape: z.ZodType<Uint8Array> = z.custom<Uint8Array>(bytes);
