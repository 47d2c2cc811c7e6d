/** What the planner has to know of the devices of a pipeline, measured on them in a few steps. */

import { nanoid } from 'nanoid';
import { hasCode } from '../errors.js';
import {
  type Costs,
  type DecodeCost,
  type DeviceCost,
  type HalfCost,
  type LinkCost,
  rowCost,
  secondsOfRows,
} from '../partition/cost.js';
import type { PatchPlan } from '../partition/plan.js';
import type { Reach } from '../rewrite/reach.js';
import { type Tensor, takeRows } from '../tensor.js';
import { decodingOf, reachesOf } from './decode-image.js';
import { type DecodeJob, decodeInStages } from './decode-in-stages.js';
import type { GenerationResult } from './generation-job.js';
import type { StepProgress } from './generation-progress.js';
import type { GenerationRequest } from './generation-request.js';
import type { GenerationSettings } from './generation-settings.js';
import type { Device } from './pipeline.js';
import { type StepTimes, trialSteps, trialWarmup } from './time-steps.js';

/** Two sizes of patches make a line; as many devices as that need not be there. */
const splits = [2, 4];

/**
 * All devices at the same time, because neighbours on one machine slow each other down, as they will when they work.
 *
 * @param whole The image as one patch.
 * @param makeTogether Makes an image on the first two devices.
 */
export async function measureCosts(
  devices: readonly Device[],
  request: GenerationRequest,
  whole: PatchPlan,
  makeTogether: (request: GenerationRequest) => Promise<GenerationResult>,
): Promise<Costs> {
  const first = devices[0]!;
  const trial: GenerationRequest = {
    ...trialOf(request),
    mode: 'pcpp',
    steps: trialSteps,
    warmupSteps: trialWarmup,
    warmup: 'whole',
    cooldownSteps: 0,
    previewEvery: 0,
    // Messages of residual wires build on each other, and those of a trial say nothing.
    wire: 'fp16',
  };
  const settings = await first.prepare(trial);
  const prompt = await timedTwice(() => first.encode(settings));
  const { conditioning } = prompt.value;
  const single = await first.timeSingle(settings, conditioning);
  const times: StepTimes[][] = devices.map(() => []);
  const units = whole.height / whole.sites.downsampling;
  for (const patches of splits.filter((split) => split <= units)) {
    const measured = await Promise.all(
      devices.map((device) => device.timePatch(settings, conditioning, patches)),
    ).catch((error: unknown) => {
      // Patches as thin as that may be too thin for what convolutions reach; thicker ones have been measured.
      if (patches > splits[0]! && hasCode(error, 'E_PARTITION')) return [];
      throw error;
    });
    for (const [index, time] of measured.entries()) times[index]!.push(time);
  }
  const second = devices[1];
  const link = second
    ? await first.timeLink(second)
    : { bytesPerSecond: Number.POSITIVE_INFINITY, latency: 0 };
  const costs = times.map((own) => deviceCost(own, whole.height));
  const exchange =
    second && units >= 2
      ? exchangeCost(
          await makeTogether({ ...trial, steps: 2 * trialSteps, borderAge: 1, devices: 2 }),
          costs,
          link,
        )
      : 0;
  const half =
    second && whole.batch === 2
      ? halfCost(
          await makeTogether({ ...trial, mode: 'single', cfgParallel: true, steps: trialSteps }),
          single,
        )
      : undefined;
  return {
    ...(half ? { half } : {}),
    encode: prompt.seconds,
    decode: await decodeCost(devices, settings.latent),
    single,
    devices: costs,
    link,
    exchange,
  };
}

/** An image takes the same time whatever it begins with. */
function trialOf({
  image,
  strength: _,
  devices: __,
  cfgParallel: ___,
  rowShares: ____,
  ...rest
}: GenerationRequest): GenerationRequest {
  return image ? { ...rest, width: image.width, height: image.height } : rest;
}

function deviceCost(times: readonly StepTimes[], height: number): DeviceCost {
  const whole = Math.min(...times.map((time) => time.whole));
  const points = times
    .map(({ rows, displaced }) => [rows, displaced] as const)
    .toSorted(([a], [b]) => a - b);
  const [less, ...more] = [...points, [height, whole] as const];
  const next = more.find(([rows]) => rows > less![0]);
  return { whole, displaced: rowCost(less!, next ?? less!) };
}

/**
 * What two devices that really work together take for a step beyond what each takes alone and what the link takes. A median,
 * since one step's delay is the next one's haste, and the slower of two is slower than either's best.
 */
function exchangeCost(
  { steps, bounds, forecast }: GenerationResult,
  devices: readonly DeviceCost[],
  link: LinkCost,
): number {
  const stepMs = steps
    .filter(({ borderBytes }) => borderBytes > 0)
    .map((step) => step.stepMs)
    .toSorted((a, b) => a - b);
  const alone = [0, 1].map((patch) =>
    secondsOfRows(devices[patch]!.displaced, bounds[patch + 1]! - bounds[patch]!),
  );
  const { sent = [], received = [] } = forecast ?? {};
  const way = Math.max(0, ...sent, ...received) / link.bytesPerSecond + link.latency;
  return Math.max(0, (stepMs[stepMs.length >> 1] ?? 0) / 1000 - Math.max(...alone) - way);
}

/** What two devices that share guidance take for a step. Medians, and of computing the slower device's, as they wait for it. */
function halfCost({ steps }: GenerationResult, single: number): HalfCost {
  const median = (of: (step: StepProgress) => number): number =>
    steps
      .slice(1)
      .map(of)
      .toSorted((a, b) => a - b)[(steps.length - 1) >> 1] ?? 0;
  const compute = median(({ computeMs }) => computeMs);
  const exchange = Math.max(0, median(({ stepMs }) => stepMs) - compute) / 1000;
  return { share: compute / 1000 / single, exchange };
}

/**
 * Half an image beside a neighbour that does the other half, and a whole one alone. Asked are all devices, as a job asks
 * them: all would decode their rows, or the first one everything.
 */
async function decodeCost(
  devices: readonly Device[],
  size: GenerationSettings['latent'],
): Promise<DecodeCost> {
  const { channels, height, width } = size;
  const latent: Tensor = {
    dims: [1, channels, height, width],
    data: new Float32Array(channels * height * width),
  };
  const first = devices[0]!;
  const whole = (await timedTwice(() => first.decode(latent))).seconds;
  if (height < 2) return { whole };
  const reaches = await reachesOf(devices, size);
  const halves = [0, height >> 1, height];
  const decoding = decodingOf(reaches, halves);
  const pair = devices.slice(0, 2);
  switch (decoding.by) {
    case 'one':
      return { whole };
    case 'strips': {
      const { reads, keeps } = decoding.strips[0]!;
      const part = takeRows(latent, ...reads);
      const half = await timedTwice(() =>
        Promise.all(pair.map((device) => device.decode(part, keeps))),
      );
      const cost = rowCost([reads[1] - reads[0], half.seconds], [height, whole]);
      return { whole, strips: { cost, reach: reaches[0] as Reach } };
    }
    case 'stages': {
      // Alone, a device takes the decoder's own graph.
      if (pair.length < 2) return { whole };
      const job = (): DecodeJob => ({ id: nanoid(10), latent, bounds: halves });
      const half = await timedTwice(() => decodeInStages(pair, job()));
      const cost = rowCost([height >> 1, half.seconds], [height, whole]);
      return { whole, strips: { cost, reach: { above: 0, below: 0, scale: 1 } } };
    }
  }
}

/** The first time loads what is needed. */
async function timedTwice<T>(run: () => Promise<T>): Promise<{ value: T; seconds: number }> {
  await run();
  const started = performance.now();
  const value = await run();
  return { value, seconds: (performance.now() - started) / 1000 };
}
