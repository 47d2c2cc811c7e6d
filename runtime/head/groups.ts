/** Placement groups: several bundles of resources, reserved all together or not at all. */

import { RuntimeError } from '../errors.js';
import type { GroupId } from '../ids.js';
import type { MessageOf } from '../wire/messages.js';
import { claim, placeGroup, release } from './place.js';
import type { GroupRecord, HeadState, NodeRecord, Request } from './state.js';

export const createGroup = (
  id: GroupId,
  creator: Request,
  { bundles, strategy }: MessageOf<'group.create'>,
  since: number,
): GroupRecord => ({
  id,
  owner: creator.from,
  strategy,
  bundles: bundles.map((need) => ({ need, claim: undefined, free: need, gpuFree: new Map() })),
  creator,
  since,
  state: { phase: 'waiting', why: [] },
  removers: [],
});

export interface Retried {
  readonly ready: readonly { readonly request: Request; readonly group: GroupId }[];
  readonly refused: readonly { readonly request: Request; readonly error: RuntimeError }[];
}

/** Reserve every waiting group that fits now, oldest first; refuse those that never will. */
export function retryGroups(state: HeadState): Retried {
  const ready: { request: Request; group: GroupId }[] = [];
  const refused: { request: Request; error: RuntimeError }[] = [];
  for (const group of [...state.groups.values()]) {
    if (group.state.phase !== 'waiting') continue;
    const request = group.creator;
    const needs = group.bundles.map(({ need }) => need);
    const placement = placeGroup([...state.nodes.values()], needs, group.strategy);
    if (placement.ok) {
      reserve(group, placement.place);
      group.state = { phase: 'ready' };
      ready.push({ request, group: group.id });
    } else if (placement.never) {
      state.groups.delete(group.id);
      const text = `no room for ${needs.length} bundles (${group.strategy}): ${placement.why.join('; ')}`;
      refused.push({ request, error: new RuntimeError('E_NO_ROOM', text) });
    } else {
      group.state = { phase: 'waiting', why: placement.why };
    }
  }
  return { ready, refused };
}

function reserve(group: GroupRecord, nodes: readonly NodeRecord[]): void {
  group.bundles.forEach((bundle, index) => {
    const node = nodes[index]!;
    bundle.claim = claim(node, node.id, bundle.need);
    bundle.gpuFree = new Map(bundle.claim.gpus);
  });
}

export function releaseGroup(state: HeadState, group: GroupRecord): void {
  for (const bundle of group.bundles) {
    const node = bundle.claim ? state.nodes.get(bundle.claim.node) : undefined;
    if (node && bundle.claim) release(node, bundle.claim);
    bundle.claim = undefined;
  }
}
