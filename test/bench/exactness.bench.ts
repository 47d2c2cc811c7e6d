/**
 * How far patches with fresh borders are from the original graph, and displaced images from golden ones.
 *
 *   node dist/test/bench/exactness.bench.js
 *
 * Distances are the largest absolute difference as a share of the largest absolute output of the original graph.
 */

import { join } from 'node:path';
import type { Value, Values } from '../../pcpp/onnx/session.js';
import { compilePatchGraph } from '../../pcpp/rewrite/compile.js';
import { type AttentionPayload, attentionPayloads } from '../../pcpp/rewrite/sites.js';
import { displacedDistances, displacedRuns } from '../helpers/displaced-runs.js';
import { freshDistances } from '../helpers/fresh-patches.js';
import { goldenPath, scenesPath } from '../helpers/golden.js';
import { noise } from '../helpers/small-graph.js';

interface Subject {
  readonly name: string;
  readonly file: string;
  /** Latent rows and columns. */
  readonly size: readonly [height: number, width: number];
  /** Widths of the model's other inputs. */
  readonly features: Readonly<Record<string, number>>;
}

const subjects: readonly Subject[] = [
  {
    name: 'tiny-sd15',
    file: goldenPath('models/tiny-sd15/unet/model.onnx'),
    size: [64, 32],
    features: { encoder_hidden_states: 8 },
  },
  {
    name: 'tiny-sdxl',
    file: goldenPath('models/tiny-sdxl/unet/model.onnx'),
    size: [32, 32],
    features: { encoder_hidden_states: 20, text_embeds: 12, time_ids: 6 },
  },
  {
    name: 'scenes',
    file: join(scenesPath, 'unet', 'model.onnx'),
    size: [64, 64],
    features: { encoder_hidden_states: 128 },
  },
];
const splits = [1, 2, [2, 1, 3], 4] as const;

function conditioningOf({ features }: Subject, batch: number): Values {
  const entries = Object.entries(features).map(([name, width], index): [string, Value] => {
    const dims = name === 'encoder_hidden_states' ? [batch, 7, width] : [batch, width];
    return [name, { type: 'float32', ...noise(dims, 11 + index) }];
  });
  return Object.fromEntries(entries);
}

const short = (value: number): string => value.toExponential(1);

async function printSubject(
  subject: Subject,
  batch: number,
  payload: AttentionPayload,
): Promise<void> {
  const [height, width] = subject.size;
  const graph = await compilePatchGraph(subject.file, { height, width, batch, payload });
  const { largest, distances } = await freshDistances({
    original: subject.file,
    graph,
    sample: noise([batch, graph.sites.channels, height, width], 3),
    timestep: 501,
    conditioning: conditioningOf(subject, batch),
    splits,
  });
  const worst = (bounds: string, whole: boolean): string => {
    const found = distances.filter(
      (entry) => `${entry.bounds}` === bounds && (entry.what === 'whole') === whole,
    );
    return short(Math.max(...found.map(({ distance }) => distance)) / largest);
  };
  for (const bounds of new Set(distances.map((entry) => `${entry.bounds}`))) {
    const rows = bounds.split(',').join(' ');
    console.log(
      `| ${subject.name} | ${batch} | ${payload} | ${height} x ${width} | ${rows} | ${worst(bounds, true)} | ${worst(bounds, false)} |`,
    );
  }
}

console.log(
  '| model | batch | payload | latent | patch bounds | whole image | patches, fresh borders |',
);
console.log('|---|---|---|---|---|---|---|');
for (const subject of subjects) {
  await printSubject(subject, 1, 'kv');
  for (const payload of attentionPayloads) await printSubject(subject, 2, payload);
}

console.log('\n| golden run, tiny-sdxl | final latents off by | allowed |');
console.log('|---|---|---|');
for (const run of displacedRuns) {
  const { distance } = (await displacedDistances(run)).at(-1)!;
  console.log(`| ${run.name} | ${short(distance)} | ${short(run.tol_max_abs_latents)} |`);
}
