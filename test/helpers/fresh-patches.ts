/** Checks that a patch graph computes what the original graph computes, when nothing is stale. */

import type { ExecutionContext } from 'ava';
import { predictionOf, sampleTensors } from '../../pcpp/engine/latent-tokens.js';
import { StagedSessions } from '../../pcpp/engine/staged-sessions.js';
import { feed, feedScalar, floatOutput } from '../../pcpp/model/feed.js';
import { Session, type Value, type Values } from '../../pcpp/onnx/session.js';
import { planFresh, planPatches } from '../../pcpp/partition/plan.js';
import type { GraphEnds, PatchGraph } from '../../pcpp/rewrite/compile.js';
import type { StagedGraph } from '../../pcpp/rewrite/staged.js';
import { nchw, type Tensor, tensor } from '../../pcpp/tensor.js';
import { maxAbsDifference } from './golden.js';
import { PatchCrew } from './patch-crew.js';
import { StagedCrew } from './staged-crew.js';

export interface Expectation {
  /** The original graph, a path or its bytes. */
  readonly original: string | Uint8Array;
  readonly graph: PatchGraph;
  /** The same in stages, to be compared too. */
  readonly staged?: StagedGraph;
  /** [N, C, H, W] */
  readonly sample: Tensor;
  readonly timestep?: number;
  readonly conditioning?: Values;
  /** As in `PlanOptions.patches`; each entry is one split. */
  readonly splits: readonly (number | readonly number[])[];
  /** At most this share of the largest output may differ. @default 1e-5 */
  readonly tolerance?: number;
  /** How far two outputs are from each other. @default maxAbsDifference */
  readonly distance?: (a: Float32Array, b: Float32Array) => number;
}

const tolerance = 1e-5;

export async function checkFreshPatches(t: ExecutionContext, expected: Expectation): Promise<void> {
  const { largest, distances } = await freshDistances(expected);
  const allowed = (expected.tolerance ?? tolerance) * largest;
  t.true(largest > 0);
  for (const { what, bounds, distance } of distances) {
    t.true(distance <= allowed, `${what} of [${bounds}]: ${distance} > ${allowed}`);
  }
}

export interface FreshDistance {
  readonly what: 'whole' | 'patches' | 'patches by message' | 'stages';
  readonly bounds: readonly number[];
  /** From the original graph's output. */
  readonly distance: number;
}

/** @returns The original's largest absolute output, and how far from it every run is. */
export async function freshDistances(
  expected: Expectation,
): Promise<{ readonly largest: number; readonly distances: readonly FreshDistance[] }> {
  const { graph, sample } = expected;
  const timestep = expected.timestep ?? 0;
  const conditioning = expected.conditioning ?? {};
  const [batch, , height, width] = sample.dims as [number, number, number, number];
  const distanceOf = expected.distance ?? maxAbsDifference;
  const truth = await originalOutput(expected.original, graph, sample, timestep, conditioning);
  const distances: FreshDistance[] = [];
  await using sessions = expected.staged && (await StagedSessions.open(expected.staged));
  for (const patches of expected.splits) {
    const options = { height, width, batch, patches, mode: 'distrifusion' } as const;
    const crew = await PatchCrew.open(graph, planPatches(graph.sites, options));
    const { bounds } = crew.plan;
    const add = (what: FreshDistance['what'], noise: Tensor): void => {
      distances.push({ what, bounds, distance: distanceOf(noise.data, truth) });
    };
    for (const noise of await crew.whole(sample, timestep, conditioning)) add('whole', noise);
    // The whole-image run saw the same sample, so its borders are fresh; so are those of the first displaced step.
    add('patches', await crew.displaced(sample, timestep, conditioning));
    const messages = crew.messages();
    const later = await crew.displaced(sample, timestep, conditioning, messages);
    add('patches by message', later);
    if (!sessions) continue;
    const fresh = planFresh(sessions.graph.sites, { height, width, batch, patches });
    const stages = new StagedCrew(sessions, fresh);
    // Twice, because the second run finds what the first has left.
    await stages.run(sample, timestep + 1, conditioning);
    add('stages', await stages.run(sample, timestep, conditioning));
  }
  const largest = truth.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return { largest, distances };
}

/** @param original A path or bytes. @param ends Of its patch graph: how the latent enters and leaves. */
export async function originalOutput(
  original: string | Uint8Array,
  ends: GraphEnds,
  sample: Tensor,
  timestep: number,
  conditioning: Values,
): Promise<Float32Array> {
  await using session = await Session.open(original);
  const [, , height, width] = nchw(sample);
  const given: Record<string, Tensor> = { ...sampleTensors(ends, sample, [0, height]) };
  for (const [name, value] of Object.entries(conditioning)) {
    if (value.type === 'float32') given[name] = tensor(value.dims, value.data);
  }
  const feeds = session.inputs.map((port): [string, Value] => [
    port.name,
    port.name === 'timestep' ? feedScalar(port, timestep) : feed(port, given[port.name]!),
  ]);
  const output = floatOutput(await session.run(Object.fromEntries(feeds)), ends.output);
  return predictionOf(ends, output, width).data;
}
