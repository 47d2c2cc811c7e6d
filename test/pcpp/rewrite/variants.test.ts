/** The same networks as other exporters write them: torch's newer one, external weights, half precision. */

import test, { type ExecutionContext } from 'ava';
import { type AttentionPayload, attentionPayloads } from '../../../pcpp/rewrite/sites.js';
import { bothForms } from '../../helpers/compiled-graph.js';
import {
  conditioningOf,
  type Denoiser,
  denoisers,
  halfPrecision,
  variants,
} from '../../helpers/denoisers.js';
import { checkFreshPatches, originalOutput } from '../../helpers/fresh-patches.js';
import { noise } from '../../helpers/small-graph.js';

const [height, width] = [32, 16];
const timestep = 501;
const batch = 2;

async function compiled(t: ExecutionContext, denoiser: Denoiser, payload: AttentionPayload) {
  const { graph, staged } = await bothForms(denoiser.file, { height, width, batch, payload });
  for (const site of graph.sites.borders) {
    if (site.kind === 'attention') t.is(site.payload, payload);
  }
  return {
    graph,
    staged,
    sample: noise([batch, graph.sites.channels, height, width], 3),
    timestep,
    conditioning: conditioningOf(denoiser, batch),
    splits: [1, 2, [2, 1, 1]],
  };
}

for (const denoiser of variants) {
  for (const payload of attentionPayloads) {
    test(`${denoiser.name}, ${payload}: patches with fresh borders equal the original`, async (t) => {
      const subject = await compiled(t, denoiser, payload);
      await checkFreshPatches(t, { ...subject, original: denoiser.file });
    });
  }
}

// Which values are rounded to half precision on the way differs from graph to graph and from processor to processor, so the
// largest difference between two of them says little: the original's own from the float32 network is 2e-3 to 3e-3.
for (const payload of attentionPayloads) {
  test(`${halfPrecision.name}, ${payload}: patches are as near to the float32 network as the original`, async (t) => {
    const subject = await compiled(t, halfPrecision, payload);
    const { graph, sample, conditioning } = subject;
    const output = ({ file }: Denoiser): Promise<Float32Array> =>
      originalOutput(file, graph, sample, timestep, conditioning);
    const [half, exact] = [await output(halfPrecision), await output(denoisers[1])];
    const largest = exact.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const own = rootMeanSquare(half, exact) / largest;
    t.true(own > 1e-4 && own < 1e-3, `${own}`);
    await checkFreshPatches(t, {
      ...subject,
      original: denoisers[1].file,
      distance: rootMeanSquare,
      tolerance: 1.25 * own,
    });
  });
}

function rootMeanSquare(a: Float32Array, b: Float32Array): number {
  const squares = a.reduce((sum, value, index) => sum + (value - b[index]!) ** 2, 0);
  return Math.sqrt(squares / a.length);
}
