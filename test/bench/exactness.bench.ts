/**
 * How far patches with fresh borders are from the original graph, in one graph and in stages, and displaced images from golden ones.
 *
 *   node dist/test/bench/exactness.bench.js
 *
 * Distances are the largest absolute difference as a share of the largest absolute output of the original graph.
 */

import { type AttentionPayload, attentionPayloads } from '../../pcpp/rewrite/sites.js';
import { bothForms } from '../helpers/compiled-graph.js';
import { conditioningOf, type Denoiser, denoisers, transformers } from '../helpers/denoisers.js';
import { displacedDistances, displacedRuns } from '../helpers/displaced-runs.js';
import { type FreshDistance, freshDistances } from '../helpers/fresh-patches.js';
import { noise } from '../helpers/small-graph.js';

/** Latent rows and columns. */
const sizes = [
  [64, 32],
  [32, 32],
  [64, 64],
  [48, 32],
  [64, 32],
] as const;
const splits = [1, 2, [2, 1, 3], 4] as const;

const short = (value: number): string => value.toExponential(1);

async function printSubject(
  subject: Denoiser,
  [height, width]: (typeof sizes)[number],
  batch: number,
  payload: AttentionPayload,
): Promise<void> {
  const shape = { height, width, batch, payload };
  const { graph, staged } = await bothForms(subject.file, shape);
  const { largest, distances } = await freshDistances({
    original: subject.file,
    graph,
    staged,
    sample: noise([batch, graph.sites.channels, height, width], 3),
    timestep: 501,
    conditioning: conditioningOf(subject, batch),
    splits,
  });
  const worst = (bounds: string, ...what: readonly FreshDistance['what'][]): string => {
    const found = distances.filter(
      (entry) => `${entry.bounds}` === bounds && what.includes(entry.what),
    );
    return short(Math.max(...found.map(({ distance }) => distance)) / largest);
  };
  for (const bounds of new Set(distances.map((entry) => `${entry.bounds}`))) {
    const rows = bounds.split(',').join(' ');
    console.log(
      `| ${subject.name} | ${batch} | ${payload} | ${height} x ${width} | ${rows} | ${worst(bounds, 'whole')} | ${worst(bounds, 'patches', 'patches by message')} | ${worst(bounds, 'stages')} |`,
    );
  }
}

console.log(
  '| model | batch | payload | latent | patch bounds | whole image | patches, fresh borders | in stages |',
);
console.log('|---|---|---|---|---|---|---|---|');
for (const [index, subject] of [...denoisers, ...transformers].entries()) {
  const size = sizes[index]!;
  await printSubject(subject, size, 1, 'kv');
  for (const payload of attentionPayloads) await printSubject(subject, size, 2, payload);
}

console.log('\n| golden run, tiny-sdxl | final latents off by | allowed |');
console.log('|---|---|---|');
for (const run of displacedRuns) {
  const { distance } = (await displacedDistances(run)).at(-1)!;
  console.log(`| ${run.name} | ${short(distance)} | ${short(run.tol_max_abs_latents)} |`);
}
