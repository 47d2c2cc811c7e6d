/**
 * CPU time of one displaced step of half an image against the original graph on the whole image.
 *
 *   node dist/test/bench/displaced-step.bench.js [rounds=9] [latent side=64]
 *
 * The scenes model, 512 x 512 pixels unless said otherwise, one ONNX Runtime thread, p = 0.3. Runs are interleaved, so that other work on the machine
 * hits all alike; CPU time of the process, not wall time.
 */

import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type DisplacedInput, PatchDenoiser } from '../../pcpp/engine/patch-denoiser.js';
import { Session, type Value, type Values } from '../../pcpp/onnx/session.js';
import { planPatches } from '../../pcpp/partition/plan.js';
import { compilePatchGraph } from '../../pcpp/rewrite/compile.js';
import type { AttentionPayload } from '../../pcpp/rewrite/sites.js';
import { sizeOf, type Tensor, takeBatch, takeRows, tensor } from '../../pcpp/tensor.js';

const unet = fileURLToPath(
  new URL('../../../examples/models/scenes/unet/model.onnx', import.meta.url),
);
const rounds = Number(process.argv[2] ?? 9);
const side = Number(process.argv[3] ?? 64);
const timestep = 501;

/** Values that look like a unit normal latent; a fixed sequence. */
function noise(dims: readonly number[]): Tensor {
  let state = 1;
  const values = Float32Array.from({ length: sizeOf(dims) }, () => {
    let sum = 0;
    for (let draw = 0; draw < 6; draw++) {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      sum += state / 2 ** 31;
    }
    return (sum - 3) * Math.SQRT2;
  });
  return tensor(dims, values);
}

async function cpuMilliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

const min = (values: readonly number[]): number => Math.min(...values);
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** The upper of two patches, ready for its second displaced step. */
async function halfImage(payload: AttentionPayload, batch: number) {
  const shape = { height: side, width: side, batch };
  const graph = await compilePatchGraph(unet, { ...shape, payload });
  const plan = planPatches(graph.sites, { ...shape, patches: 2, mode: 'pcpp' });
  const patch = await PatchDenoiser.open(graph, plan, 0);
  const neighbour = patch.replan(plan, 1);
  return {
    patch,
    neighbour,
    channels: graph.sites.channels,
    /** A message to `patch`, once both have seen a whole image. */
    async prepare(whole: DisplacedInput, bottom: DisplacedInput) {
      await patch.whole(whole);
      await neighbour.whole(whole);
      await neighbour.displaced(bottom);
      return new Map([[1, neighbour.outbound(0)]]);
    },
  };
}

async function bench(batch: number): Promise<void> {
  await using original = await Session.open(unet, { threads: 1 });
  const kv = await halfImage('kv', batch);
  const hiddenStates = await halfImage('hidden', batch);
  await using _kv = kv.patch;
  await using _hidden = hiddenStates.patch;
  const sample = noise([batch, kv.channels, side, side]);
  const port = original.inputs.find(({ name }) => name === 'encoder_hidden_states')!;
  const hidden: Value = { type: 'float32', ...noise([batch, 16, Number(port.dims[2])]) };
  const conditioning: Values = { encoder_hidden_states: hidden };
  const [top, bottom] = [takeRows(sample, 0, side / 2), takeRows(sample, side / 2, side)];
  const whole = { sample, timestep, conditioning };
  const haloAbove = takeRows(sample, side / 2 - 1, side / 2);
  const below = { sample: bottom, haloAbove, timestep, conditioning };
  const kvBorders = await kv.prepare(whole, below);
  const hiddenBorders = await hiddenStates.prepare(whole, below);
  const haloBelow = takeRows(sample, side / 2, side / 2 + 1);
  const time: Value = { type: 'float32', dims: [], data: Float32Array.of(timestep) };
  const works: Record<string, () => Promise<unknown>> = {
    'original, whole image': () =>
      original.run({ ...conditioning, sample: { type: 'float32', ...sample }, timestep: time }),
    // What half the work costs without borders, moments and messages: no split can be below it at equal attention.
    'original, half image': () =>
      original.run({ ...conditioning, sample: { type: 'float32', ...top }, timestep: time }),
    'displaced, half image': async () => {
      const borders = kvBorders;
      await kv.patch.displaced({ sample: top, haloBelow, timestep, conditioning, borders });
      kv.patch.outbound(1, takeBatch(top, 0, 1));
    },
    'the same, hidden states': async () => {
      const { patch } = hiddenStates;
      const borders = hiddenBorders;
      await patch.displaced({ sample: top, haloBelow, timestep, conditioning, borders });
      patch.outbound(1, takeBatch(top, 0, 1));
    },
    'patch graph, whole image': () => kv.neighbour.whole(whole),
  };
  const times = Object.fromEntries(Object.keys(works).map((name) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, work] of Object.entries(works)) {
      const spent = await cpuMilliseconds(work);
      if (round >= 0) times[name]!.push(spent);
    }
  }
  const base = times['original, whole image']!;
  console.log(
    `latent ${side} x ${side}, batch ${batch}, ${rounds} rounds, CPU ms (min, median; ratio to the original of min, of median)`,
  );
  for (const [name, values] of Object.entries(times)) {
    const ratios = `${(min(values) / min(base)).toFixed(3)} ${(median(values) / median(base)).toFixed(3)}`;
    console.log(
      `  ${name.padEnd(26)} ${min(values).toFixed(1)} ${median(values).toFixed(1)}  ${ratios}`,
    );
  }
}

console.log(cpus()[0]?.model);
await bench(2);
await bench(1);
