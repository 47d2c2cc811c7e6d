/** What a process owns ends with it. */

import { RuntimeError } from '../errors.js';
import type { ProcessId } from '../ids.js';
import { endActor } from './actor-end.js';
import { removeGroup } from './groups.js';
import type { Turn } from './turn.js';

/** End what a process has created; detached actors live on. */
export function endOwned(turn: Turn, process: ProcessId, why: string): void {
  const cause = new RuntimeError('E_ACTOR_DEAD', why);
  for (const actor of [...turn.state.actors.values()]) {
    if (actor.owner === process && !actor.spec.detached) endActor(turn, actor, cause);
  }
  for (const group of [...turn.state.groups.values()]) {
    if (group.owner === process) removeGroup(turn, group.id);
  }
}
