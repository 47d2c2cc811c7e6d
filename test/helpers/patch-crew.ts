/** All patches of one image in one process, exchanging the messages that devices would exchange. */

import { latentOf } from '../../pcpp/engine/borders.js';
import { combineGuidance } from '../../pcpp/engine/guidance.js';
import { PatchDenoiser } from '../../pcpp/engine/patch-denoiser.js';
import type { Value, Values } from '../../pcpp/onnx/session.js';
import { latentRows } from '../../pcpp/partition/manifest.js';
import { type PatchPlan, patchCount } from '../../pcpp/partition/plan.js';
import type { PatchGraph } from '../../pcpp/rewrite/compile.js';
import type { Sampler } from '../../pcpp/samplers/sampler.js';
import { concatBatch, concatRows, type Tensor, takeRows, tensor } from '../../pcpp/tensor.js';
import { floats, type SafeTensor } from './safetensors.js';

/** One session per graph in a test file: opening one takes longer than most of what is tested in it. */
const sessions = new WeakMap<PatchGraph, Promise<PatchDenoiser>>();

export class PatchCrew {
  readonly plan: PatchPlan;
  readonly patches: readonly PatchDenoiser[];

  private constructor(plan: PatchPlan, patches: readonly PatchDenoiser[]) {
    this.plan = plan;
    this.patches = patches;
  }

  static async open(graph: PatchGraph, plan: PatchPlan): Promise<PatchCrew> {
    const first = sessions.get(graph) ?? PatchDenoiser.open(graph, plan, 0);
    sessions.set(graph, first);
    const owner = await first;
    const patches = Array.from({ length: patchCount(plan) }, (_, index) =>
      owner.replan(plan, index),
    );
    return new PatchCrew(plan, patches);
  }

  /** Rows that patch `index` owns. */
  own(image: Tensor, index: number): Tensor {
    return takeRows(image, this.plan.bounds[index]!, this.plan.bounds[index + 1]!);
  }

  async whole(sample: Tensor, timestep: number, conditioning: Values): Promise<Tensor[]> {
    const noises: Tensor[] = [];
    for (const patch of this.patches) {
      noises.push(await patch.whole({ sample, timestep, conditioning }));
    }
    return noises;
  }

  /** One displaced step of all patches on a common sample; the rows at patch edges come from it. */
  async displaced(
    sample: Tensor,
    timestep: number,
    conditioning: Values,
    messages?: readonly ReadonlyMap<number, Float32Array>[],
  ): Promise<Tensor> {
    const { bounds, height } = this.plan;
    const noises: Tensor[] = [];
    for (const [index, patch] of this.patches.entries()) {
      const [from, to] = [bounds[index]!, bounds[index + 1]!];
      const noise = await patch.displaced({
        sample: takeRows(sample, from, to),
        haloAbove: from > 0 ? takeRows(sample, from - 1, from) : undefined,
        haloBelow: to < height ? takeRows(sample, to, to + 1) : undefined,
        timestep,
        conditioning,
        ...(messages ? { borders: messages[index]! } : {}),
      });
      noises.push(noise);
    }
    return concatRows(noises);
  }

  /** By receiver, what every other patch sends it after a displaced step. */
  messages(latents?: readonly Tensor[]): ReadonlyMap<number, Float32Array>[] {
    return this.patches.map((_, to) => {
      const others = this.patches.filter((patch) => patch.index !== to);
      return new Map(
        others.map((patch) => [patch.index, patch.outbound(to, latents?.[patch.index])]),
      );
    });
  }
}

export interface CrewRun {
  readonly crew: PatchCrew;
  readonly sampler: Sampler;
  /** Whole-image steps at the start. */
  readonly warmupSteps: number;
  readonly guidanceScale: number;
  /** Unit normal, [1, C, H, W]. */
  readonly latents: Tensor;
  readonly conditioning: Values;
}

/**
 * A whole image, each patch with a latent and a sampler state of its own; latent rows at the edges come from messages.
 *
 * @returns The latent after every step.
 */
export async function runCrew(run: CrewRun): Promise<Tensor[]> {
  const { crew, sampler, guidanceScale, conditioning } = run;
  const batched = (latent: Tensor): Tensor =>
    guidanceScale > 1 ? concatBatch([latent, latent]) : latent;
  const guided = (noise: Tensor): Tensor =>
    guidanceScale > 1 ? combineGuidance(noise, guidanceScale) : noise;
  const start = run.latents.data.map((value) => value * sampler.initNoiseSigma);
  const first = tensor(run.latents.dims, start);
  const patches = crew.patches.map((patch) => ({
    latent: crew.own(first, patch.index),
    state: sampler.start(),
  }));
  const history: Tensor[] = [];
  let messages: ReadonlyMap<number, Float32Array>[] | undefined;
  for (const [index, timestep] of sampler.timesteps.entries()) {
    const whole = concatRows(patches.map((patch) => patch.latent));
    const isWarm = index < run.warmupSteps;
    const wholeNoises = isWarm
      ? await crew.whole(batched(sampler.scaleInput(whole, index)), timestep, conditioning)
      : [];
    const noises: Tensor[] = [];
    for (const [position, patch] of crew.patches.entries()) {
      if (isWarm) {
        noises.push(crew.own(wholeNoises[position]!, position));
        continue;
      }
      // Right after warm-up every device still has the whole latent; later the edge rows come in messages.
      const halo = (from: number): Tensor | undefined => {
        const rows = latentRows(crew.plan, from, position);
        if (!rows) return undefined;
        const edge = messages
          ? latentOf(crew.plan, from, position, messages[position]!.get(from)!)!
          : takeRows(whole, ...rows);
        return batched(sampler.scaleInput(edge, index));
      };
      noises.push(
        await patch.displaced({
          sample: batched(sampler.scaleInput(patches[position]!.latent, index)),
          haloAbove: position > 0 ? halo(position - 1) : undefined,
          haloBelow: position < crew.patches.length - 1 ? halo(position + 1) : undefined,
          timestep,
          conditioning,
          ...(messages ? { borders: messages[position]! } : {}),
        }),
      );
    }
    for (const [position, patch] of patches.entries()) {
      const noise = guided(noises[position]!);
      const next = sampler.step(patch.state, index, noise, patch.latent);
      patches[position] = { latent: next.sample, state: next.state };
    }
    if (!isWarm) messages = crew.messages(patches.map((patch) => patch.latent));
    history.push(concatRows(patches.map((patch) => patch.latent)));
  }
  return history;
}

/** The conditioning tensors among golden ones. */
export function conditioningOf(tensors: Record<string, SafeTensor>): Values {
  const names = ['encoder_hidden_states', 'text_embeds', 'time_ids'].filter(
    (name) => tensors[name],
  );
  return Object.fromEntries(
    names.map((name): [string, Value] => [
      name,
      { type: 'float32', dims: tensors[name]!.dims, data: floats(tensors, name) },
    ]),
  );
}
