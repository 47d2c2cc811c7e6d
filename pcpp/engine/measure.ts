/** What the planner has to know of the devices of a pipeline, measured on them in a few steps. */

import { type Costs, type DeviceCost, rowCost } from '../partition/cost.js';
import type { PatchPlan } from '../partition/plan.js';
import type { GenerationRequest } from './generation-request.js';
import type { Device } from './pipeline.js';
import { type StepTimes, trialSteps, trialWarmup } from './time-steps.js';

/** Two sizes of patches make a line; as many devices as that need not be there. */
const splits = [2, 4];

/**
 * All devices at the same time, because neighbours on one machine slow each other down, as they will when they work.
 *
 * @param whole The image as one patch.
 */
export async function measureCosts(
  devices: readonly Device[],
  request: GenerationRequest,
  whole: PatchPlan,
): Promise<Costs> {
  const first = devices[0]!;
  const settings = await first.prepare({
    ...trialOf(request),
    mode: 'pcpp',
    steps: trialSteps,
    warmupSteps: trialWarmup,
    // Messages of residual wires build on each other, and those of a trial say nothing.
    wire: 'fp16',
  });
  const prompt = await timedTwice(() => first.encode(settings));
  const { conditioning } = prompt.value;
  const single = await first.timeSingle(settings, conditioning);
  const times: StepTimes[][] = devices.map(() => []);
  const units = whole.height / whole.sites.downsampling;
  for (const patches of splits.filter((split) => split <= units)) {
    const measured = await Promise.all(
      devices.map((device) => device.timePatch(settings, conditioning, patches)),
    );
    for (const [index, time] of measured.entries()) times[index]!.push(time);
  }
  const link = devices[1]
    ? await first.timeLink(devices[1])
    : { bytesPerSecond: Number.POSITIVE_INFINITY, latency: 0 };
  const { channels, height, width } = settings.latent;
  const dims = [1, channels, height, width];
  const latent = { dims, data: new Float32Array(channels * height * width) };
  const pixels = await timedTwice(() => first.decode(latent));
  return {
    encode: prompt.seconds,
    decode: pixels.seconds,
    single,
    devices: times.map((own) => deviceCost(own, whole.height)),
    link,
  };
}

/** An image takes the same time whatever it begins with. */
function trialOf({
  image,
  strength: _,
  devices: __,
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

/** The first time loads what is needed. */
async function timedTwice<T>(run: () => Promise<T>): Promise<{ value: T; seconds: number }> {
  await run();
  const started = performance.now();
  const value = await run();
  return { value, seconds: (performance.now() - started) / 1000 };
}
