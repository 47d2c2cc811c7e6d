/** Where an actor or a task may run, as its creator asks for it. */

import { RuntimeError } from '../errors.js';
import { type LabelSelector, requireSelector } from '../labels.js';
import { type Resources, toQuantities } from '../resources.js';
import type { ActorSpec, SchedulingStrategy } from '../wire/actor-spec.js';
import type { PlacementGroup } from './group.js';

export interface PlacementOptions {
  /** Held for the actor's whole life, or while the task runs. @default { cpu: 1 } */
  readonly resources?: Resources;
  /**
   * `spread` takes the least used node, `pack` the fullest that has room; `{ node }`, by id or name, insists on one, and
   * with `soft: true` prefers it. What needs no GPU goes to nodes without one first. @default 'spread'
   */
  readonly schedulingStrategy?: SchedulingStrategy;
  /** Only on nodes whose labels are so: `{ zone: 'eu-1', gpu: '!T4', disk: 'in(ssd, nvme)' }`. @default any node */
  readonly labelSelector?: LabelSelector;
  /** In this bundle of a placement group. */
  readonly bundle?: { readonly group: PlacementGroup; readonly index: number };
}

type PlacementSpec = Pick<
  ActorSpec,
  'resources' | 'schedulingStrategy' | 'labelSelector' | 'bundle'
>;

/** @throws RuntimeError `E_OPTION` for amounts, a strategy or a selector that make no sense. */
export function placementSpec(options: PlacementOptions): PlacementSpec {
  const { resources = { cpu: 1 }, schedulingStrategy, labelSelector, bundle } = options;
  requireStrategy(schedulingStrategy);
  if (bundle && (schedulingStrategy || labelSelector)) {
    const text = 'a bundle has its node already: leave schedulingStrategy and labelSelector out';
    throw new RuntimeError('E_OPTION', text);
  }
  return {
    resources: toQuantities(resources),
    ...(schedulingStrategy === undefined ? {} : { schedulingStrategy }),
    ...(labelSelector ? { labelSelector: requireSelector(labelSelector) } : {}),
    ...(bundle ? { bundle: { group: bundle.group.id, index: bundle.index } } : {}),
  };
}

function requireStrategy(strategy: SchedulingStrategy | undefined): void {
  if (strategy === undefined || strategy === 'spread' || strategy === 'pack') return;
  if (typeof strategy === 'object' && typeof strategy.node === 'string') return;
  const text = `schedulingStrategy ${JSON.stringify(strategy)} is none of spread, pack, { node, soft }`;
  throw new RuntimeError('E_OPTION', text);
}
