/** Displaced steps against an emulation of DistriFusion and PCPP made from the real diffusers classes. */

import test from 'ava';
import { planPatches } from '../../../pcpp/partition/plan.js';
import { attentionPayloads } from '../../../pcpp/rewrite/sites.js';
import { type Tensor, tensor } from '../../../pcpp/tensor.js';
import { compiledGraph } from '../../helpers/compiled-graph.js';
import { displacedDistances, displacedRuns } from '../../helpers/displaced-runs.js';
import { goldenJson, goldenPath, maxAbsDifference } from '../../helpers/golden.js';
import { conditioningOf, PatchCrew } from '../../helpers/patch-crew.js';
import { floats, readSafetensors, type SafeTensor } from '../../helpers/safetensors.js';

interface TwoStep {
  readonly name: string;
  readonly mode: 'distrifusion' | 'pcpp';
  readonly n: number;
  readonly p: number | null;
  readonly height: number;
  readonly width: number;
  readonly batch: number;
  readonly timestep_a: number;
  readonly timestep_b: number;
  readonly tol_max_abs: number;
}

interface Manifest {
  readonly two_step: readonly TwoStep[];
}

const manifest = goldenJson<Manifest>('refs/manifest-displaced.json');
const unet = goldenPath('models/tiny-sdxl/unet/model.onnx');
const imageOf = (tensors: Record<string, SafeTensor>, name: string): Tensor =>
  tensor(tensors[name]!.dims, floats(tensors, name));

for (const [entry, payload] of manifest.two_step.flatMap((entry) =>
  attentionPayloads.map((payload) => [entry, payload] as const),
)) {
  test(`${entry.name}, ${payload}: a whole step, then two displaced ones`, async (t) => {
    const { height, width, batch, mode } = entry;
    const golden = readSafetensors(goldenPath(`refs/displaced/${entry.name}.safetensors`));
    const graph = await compiledGraph(unet, { height, width, batch, payload });
    const plan = planPatches(graph.sites, {
      height,
      width,
      batch,
      mode,
      patches: entry.n,
      borderFraction: entry.p ?? 1,
    });
    const crew = await PatchCrew.open(graph, plan);
    const conditioning = conditioningOf(golden);
    const near = (got: Tensor, name: string): void => {
      const distance = maxAbsDifference(got.data, floats(golden, name));
      t.true(distance <= entry.tol_max_abs, `${name}: ${distance}`);
    };
    const sample = imageOf(golden, 'sample_b');
    for (const noise of await crew.whole(
      imageOf(golden, 'sample_a'),
      entry.timestep_a,
      conditioning,
    )) {
      near(noise, 'eps_a_sync');
    }
    near(await crew.displaced(sample, entry.timestep_b, conditioning), 'eps_b_async');
    const messages = crew.messages();
    near(await crew.displaced(sample, entry.timestep_b, conditioning, messages), 'eps_c_async');
  });
}

test('the runs cover both modes, two samplers and three ways of group normalisation', (t) => {
  t.deepEqual(
    displacedRuns.map(({ name }) => name),
    [
      'distri-n2-ddim10-w1-g5',
      'distri-n4-ddim20-w4-g5',
      'distri-n4-ddim10-w2-g1-nonsquare',
      'distri-n2-euler12-w3-g5',
      'distri-n2-ddim10-w1-g5-staleGN',
      'distri-n2-ddim10-w1-g5-separateGN',
      'pcpp-n2-ddim10-w1-g5',
      'pcpp-n4-ddim20-w4-g5',
      'pcpp-n4-ddim10-w2-g1-nonsquare',
      'pcpp-n2-euler12-w3-g5',
      'pcpp-n4-ddim10-w2-g5-p60',
    ],
  );
});

for (const run of displacedRuns) {
  test(`${run.name}: latents of a displaced image`, async (t) => {
    const distances = await displacedDistances(run);
    for (const { what, distance } of distances) {
      t.true(distance <= run.tol_max_abs_latents, `${what}: ${distance}`);
    }
    const last = distances.at(-1)!.distance;
    t.log(`off by ${last.toExponential(1)} of ${run.tol_max_abs_latents} allowed`);
  });
}
