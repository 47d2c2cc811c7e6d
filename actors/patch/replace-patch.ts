/** Puts a new actor in the place of a patch that died, so that the others need not start again. */

import { ActorsError } from '../errors.js';
import { buddyOf } from './geometry.js';
import type { Checkpoint } from './patch-actor.js';

/** A patch of any kind, as it is replaced: what its borders are made of does not matter here. */
export interface ReplaceablePatch<Self> {
  checkpointOf(patch: number): Promise<Checkpoint | undefined>;
  resume(checkpoint: Checkpoint): Promise<void>;
  link(patches: readonly Self[]): Promise<void>;
  relink(patch: number, fresh: Self, step: number): Promise<void>;
  nextStep(): Promise<number>;
}

export interface Replacement<Patch> {
  /** As before, with the new actor in its place. */
  readonly patches: readonly Patch[];
  /** The step that each goes on with: give them to `runPatches`. */
  readonly next: readonly number[];
}

/**
 * Take the last checkpoint of the dead patch from its buddy, resume there, and link the others. None may run meanwhile.
 *
 * @param create Makes an actor as the dead one was made.
 * @throws ActorsError `E_PATCH_STATE` if nobody keeps a checkpoint, `E_VERSION_GONE` if it is too old for what the others
 * remember.
 */
export async function replacePatch<Patch extends ReplaceablePatch<Patch>>(
  patches: readonly Patch[],
  dead: number,
  create: () => Promise<Patch>,
): Promise<Replacement<Patch>> {
  const buddy = buddyOf(dead, patches.length);
  const checkpoint = buddy === undefined ? undefined : await patches[buddy]!.checkpointOf(dead);
  if (!checkpoint) {
    throw new ActorsError('E_PATCH_STATE', `nobody keeps a checkpoint of patch ${dead}`);
  }
  const fresh = await create();
  const all = patches.with(dead, fresh);
  await fresh.resume(checkpoint);
  await fresh.link(all);
  const others = all.filter((_, patch) => patch !== dead);
  await Promise.all(others.map((other) => other.relink(dead, fresh, checkpoint.step + 1)));
  return { patches: all, next: await Promise.all(all.map((patch) => patch.nextStep())) };
}
