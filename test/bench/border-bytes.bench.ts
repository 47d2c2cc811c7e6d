/**
 * Border bytes of a displaced step: the real SDXL UNet by plan, then the model that ships by plan and as counted on arrival
 * in a cluster of processes.
 *
 *   node dist/test/bench/border-bytes.bench.js
 *
 * p = 0.3, cut by tokens. DistriFusion "as published" is an all-gather in half precision: keys and values, both edge rows of
 * every convolution and moments of all to all. Latent rows and the header of residual messages count on our side only.
 */

import { openPipeline } from '../../pcpp/index.js';
import { forecastBytes, publishedDistrifusion } from '../../pcpp/partition/bytes.js';
import { type PatchPlan, patchCount, planPatches } from '../../pcpp/partition/plan.js';
import type { Wire } from '../../pcpp/partition/wire.js';
import { compilePatchGraph } from '../../pcpp/rewrite/compile.js';
import type { AttentionPayload } from '../../pcpp/rewrite/sites.js';
import { startCluster } from '../../runtime/index.js';
import { goldenPath, scenesPath } from '../helpers/golden.js';

const rules = { mode: 'pcpp', borderFraction: 0.3, borderCut: 'tokens' } as const;

const variants: readonly (readonly [name: string, payload: AttentionPayload, wire: Wire])[] = [
  ['keys and values, fp16', 'kv', 'fp16'],
  ['hidden states, fp16', 'hidden', 'fp16'],
  ['hidden states, int8', 'hidden', 'int8'],
  ['hidden states, residual-int8', 'hidden', 'residual-int8'],
  ['hidden states, residual-int4', 'hidden', 'residual-int4'],
];

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 1e7 ? 3 : 1);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function row(name: string, plan: PatchPlan): string {
  const { total, distrifusion } = forecastBytes(plan);
  const average = total / patchCount(plan);
  const published = mean(publishedDistrifusion(plan));
  const ours = distrifusion.total / patchCount(plan);
  const savings = [published, ours].map((base) => percent(1 - average / base)).join(' | ');
  return `| ${patchCount(plan)} | ${name} | ${megabytes(average)} | ${savings} |`;
}

async function printSdxl(): Promise<void> {
  const file = goldenPath('graphs/sdxl-unet/model.onnx');
  const size = { height: 128, width: 128, batch: 1 };
  console.log('SDXL at 1024 x 1024, batch 1, MB received per device and step (device average)\n');
  console.log(
    '| n | what travels | MB | less than published | less than mode distrifusion, fp16 |',
  );
  console.log('|---|---|---|---|---|');
  const graphs = {
    kv: await compilePatchGraph(file, { ...size, payload: 'kv' }),
    hidden: await compilePatchGraph(file, { ...size, payload: 'hidden' }),
  };
  for (const patches of [4, 8]) {
    const base = planPatches(graphs.kv.sites, { ...size, ...rules, wire: 'fp16', patches });
    const published = megabytes(mean(publishedDistrifusion(base)));
    console.log(`| ${patches} | DistriFusion as published | ${published} | | |`);
    for (const [name, payload, wire] of variants) {
      const { sites } = graphs[payload];
      console.log(row(name, planPatches(sites, { ...size, ...rules, wire, patches })));
    }
  }
}

async function printScenes(): Promise<void> {
  console.log('\nscenes at 512 x 512, batch 2, two devices, bytes of a step of both\n');
  console.log('| what travels | planned | counted | first step, planned | counted |');
  console.log('|---|---|---|---|---|');
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
  const prompt = 'snowy mountains, a calm lake, sunset, clear sky';
  const request = {
    prompt,
    width: 512,
    height: 512,
    steps: 6,
    warmupSteps: 1,
    cooldownSteps: 0,
    seed: 7,
    ...rules,
  };
  for (const [name, borderPayload, wire] of variants) {
    const { forecast, steps } = await pipeline.generate({ ...request, borderPayload, wire }).result;
    const [first, ...later] = steps.slice(2).map(({ borderBytes }) => borderBytes);
    const counted = [...new Set(later)].join(' ');
    console.log(
      `| ${name} | ${forecast!.total} | ${counted} | ${forecast!.first.total} | ${first} |`,
    );
  }
}

await printSdxl();
await printScenes();
