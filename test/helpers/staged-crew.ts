/** All patches of a staged graph in one process: messages pass from hand to hand. */

import { StagedPatch } from '../../pcpp/engine/staged-patch.js';
import type { StagedSessions } from '../../pcpp/engine/staged-sessions.js';
import type { Values } from '../../pcpp/onnx/session.js';
import type { PatchPlan } from '../../pcpp/partition/plan.js';
import { concatRows, type Tensor, takeRows } from '../../pcpp/tensor.js';

export class StagedCrew {
  readonly patches: readonly StagedPatch[];
  /** Elements that the patches told each other in the last run. */
  told = 0;
  readonly #sessions: StagedSessions;

  /** @param sessions Stay the caller's. */
  constructor(sessions: StagedSessions, plan: PatchPlan) {
    this.#sessions = sessions;
    this.patches = plan.bounds.slice(1).map((_, index) => new StagedPatch(sessions, plan, index));
  }

  /** @param sample The whole, [N, C, H, W]. @returns What the model gives for it, put together from all patches. */
  async run(sample: Tensor, timestep: number, conditioning: Values = {}): Promise<Tensor> {
    this.told = 0;
    for (const patch of this.patches) {
      const [above, below] = [patch.index - 1, patch.index + 1].map((other) => {
        const rows = patch.halo(other);
        return rows && takeRows(sample, ...rows);
      });
      const { bounds } = patch.plan;
      const own = takeRows(sample, bounds[patch.index]!, bounds[patch.index + 1]!);
      patch.begin({
        sample: own,
        timestep,
        others: conditioning,
        haloAbove: above,
        haloBelow: below,
      });
    }
    let said = new Map<string, Float32Array>();
    for (let stage = 0; stage < this.#sessions.graph.stages.length; stage++) {
      const saying = new Map<string, Float32Array>();
      for (const patch of this.patches) {
        const heard = stage > 0 ? patch.partners(stage - 1) : [];
        const messages = heard.map((from) => [from, said.get(`${from} ${patch.index}`)!] as const);
        await patch.advance(stage, new Map(messages));
        if (stage === this.#sessions.graph.stages.length - 1) continue;
        for (const to of patch.partners(stage)) {
          const message = patch.outbound(to, stage);
          this.told += message.length;
          saying.set(`${patch.index} ${to}`, message);
        }
      }
      said = saying;
    }
    return concatRows(this.patches.map((patch) => patch.output));
  }
}
