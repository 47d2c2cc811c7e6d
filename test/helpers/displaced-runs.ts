/** Whole images made in displaced steps, beside those of an emulation made from the real diffusers classes. */

import { planPatches } from '../../pcpp/partition/plan.js';
import { createSampler } from '../../pcpp/samplers/create-sampler.js';
import { tensor } from '../../pcpp/tensor.js';
import { compiledGraph } from './compiled-graph.js';
import { goldenJson, goldenPath, maxAbsDifference } from './golden.js';
import { conditioningOf, PatchCrew, runCrew } from './patch-crew.js';
import { floats, readSafetensors } from './safetensors.js';

export interface DisplacedRun {
  readonly name: string;
  readonly mode: 'distrifusion' | 'pcpp';
  readonly groupnorm: string;
  readonly n: number;
  readonly p: number | null;
  readonly warmup_steps: number;
  readonly height: number;
  readonly width: number;
  readonly num_inference_steps: number;
  readonly guidance_scale: number;
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** Latents may differ by this much anywhere. */
  readonly tol_max_abs_latents: number;
}

const groupNorms = {
  corrected_async_gn: 'corrected',
  stale_gn: 'stale',
  separate_gn: 'local',
} as const;
const isMode = (name: string): name is keyof typeof groupNorms => name in groupNorms;

/** The runs with a sampler and a group normalisation that we have. */
export const displacedRuns: readonly DisplacedRun[] = goldenJson<{
  readonly cases: readonly DisplacedRun[];
}>('refs/manifest-displaced.json').cases.filter(
  ({ scheduler, groupnorm }) =>
    ['DDIMScheduler', 'EulerDiscreteScheduler'].includes(String(scheduler['_class_name'])) &&
    isMode(groupnorm),
);

export interface StepDistance {
  /** `after step 3`, `final latents` */
  readonly what: string;
  /** Largest absolute difference. */
  readonly distance: number;
}

/** Makes the image again. @returns Distances after every step that was recorded; the final one is the last. */
export async function displacedDistances(run: DisplacedRun): Promise<StepDistance[]> {
  const { height, width, mode, groupnorm } = run;
  const golden = readSafetensors(goldenPath(`refs/displaced/${run.name}.safetensors`));
  const batch = run.guidance_scale > 1 ? 2 : 1;
  const unet = goldenPath('models/tiny-sdxl/unet/model.onnx');
  const graph = await compiledGraph(unet, { height, width, batch });
  const plan = planPatches(graph.sites, {
    height,
    width,
    batch,
    mode,
    patches: run.n,
    borderFraction: run.p ?? 1,
    groupNorm: isMode(groupnorm) ? groupNorms[groupnorm] : 'corrected',
  });
  const crew = await PatchCrew.open(graph, plan);
  const history = await runCrew({
    crew,
    sampler: createSampler(run.scheduler, { steps: run.num_inference_steps }),
    warmupSteps: run.warmup_steps,
    guidanceScale: run.guidance_scale,
    latents: tensor(golden['latents']!.dims, floats(golden, 'latents')),
    conditioning: conditioningOf(golden),
  });
  const distances: StepDistance[] = [];
  for (const [index, latent] of history.entries()) {
    const expected = golden[`latents_after_step.${index}`];
    if (expected?.dtype !== 'float32') continue;
    const distance = maxAbsDifference(latent.data, expected.data);
    distances.push({ what: `after step ${index}`, distance });
  }
  const distance = maxAbsDifference(history.at(-1)!.data, floats(golden, 'final_latents'));
  return [...distances, { what: 'final latents', distance }];
}
