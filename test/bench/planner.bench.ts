/**
 * The planner's forecast against what images then take, on two workers of one core each. In every round new devices are
 * measured as mode `auto` does it, and then make the image alone and together, so that other work on the machine hits
 * forecast and measurement alike.
 *
 *   node dist/test/bench/planner.bench.js [pixels=512] [steps=20] [rounds=7]
 */

import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Candidate, type Choice, openPipeline } from '../../pcpp/index.js';
import { nameOf } from '../../pcpp/partition/planner.js';
import { table } from '../../runtime/cli/index.js';
import { startCluster } from '../../runtime/index.js';

const [pixels = 512, steps = 20, rounds = 7] = process.argv.slice(2).map(Number);
const model = fileURLToPath(new URL('../../../examples/models/scenes', import.meta.url));
const request = { prompt: 'snowy mountains, a calm lake', width: pixels, height: pixels, steps };

/** Seconds. */
interface Pair {
  readonly forecast: number;
  readonly measured: number;
}

interface Compared {
  readonly name: string;
  readonly denoise: Pair;
  readonly total: Pair;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const ms = (seconds: number): string => `${(1000 * seconds).toFixed(2)} ms`;

const load = loadavg()[0]!.toFixed(1);
console.log(`${cpus()[0]!.model}, ${availableParallelism()} cores, load ${load} before the run`);
console.log(`${pixels} x ${pixels}, ${steps} steps, ${rounds} rounds\n`);
await using local = await startCluster({ workers: 2, resources: { cpu: 1 }, prewarm: 0 });
const compared: Compared[] = [];
for (let round = 0; round < rounds; round++) compared.push(...(await roundOn()));
console.log();
console.log(
  table(
    ['medians', 'forecast', 'measured', 'off (range)', 'whole image, forecast', 'measured', 'off'],
    [...new Set(compared.map(({ name }) => name))].map((name) => {
      const own = compared.filter((entry) => entry.name === name);
      const [denoise, total] = [own.map((one) => one.denoise), own.map((one) => one.total)];
      return [name, ...cells(denoise), ...cells(total)];
    }),
  ),
);

async function roundOn(): Promise<readonly Compared[]> {
  await using pipeline = await openPipeline(local.cluster, { model });
  const patches = await choiceOf({ cfgParallel: false });
  const groups = await choiceOf({ cfgParallel: true });
  const { single, devices, link, exchange } = await pipeline.costs(request);
  const [first] = devices;
  const line = `${ms(first!.displaced.fixed)} + ${ms(first!.displaced.perRow)} a row`;
  const rate = ((8 * link.bytesPerSecond) / 1e9).toFixed(2);
  console.log(`auto: ${patches.why}; ${groups.why}`);
  console.log(
    `  one device ${ms(single)}, whole ${ms(first!.whole)}, displaced ${line}; link ${rate} Gbit/s, ${ms(link.latency)}, exchange ${ms(exchange)}`,
  );
  const result: Compared[] = [];
  for (const candidate of [patches, ...patches.others, groups]) {
    result.push(await compare(candidate));
  }
  return result;

  async function choiceOf(more: { readonly cfgParallel: boolean }): Promise<Choice> {
    const { choice } = await pipeline.generate({ ...request, ...more, mode: 'auto' }).result;
    if (!choice?.choice) throw new Error(`nothing was chosen: ${choice?.why}`);
    return choice.choice;
  }

  async function compare({ way, forecast }: Candidate): Promise<Compared> {
    // The first of a kind loads what was not loaded.
    await pipeline.generate({ ...request, ...way, steps: 4 }).result;
    const { denoiseMs, totalMs } = await pipeline.generate({ ...request, ...way }).result;
    return {
      name: nameOf(way),
      denoise: { forecast: forecast.denoise, measured: denoiseMs / 1000 },
      total: { forecast: forecast.total, measured: totalMs / 1000 },
    };
  }
}

function cells(pairs: readonly Pair[]): string[] {
  const seconds = (values: readonly number[]): string => `${median(values).toFixed(2)} s`;
  const off = pairs.map(({ forecast, measured }) => (100 * (forecast - measured)) / measured);
  const [least, most] = [Math.min(...off), Math.max(...off)].map((share) => share.toFixed(0));
  return [
    seconds(pairs.map(({ forecast }) => forecast)),
    seconds(pairs.map(({ measured }) => measured)),
    `${median(off).toFixed(1)} % (${least} to ${most})`,
  ];
}
