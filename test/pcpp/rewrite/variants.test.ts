/** The same networks as other exporters write them: torch's newer one, external weights, half precision. */

import test from 'ava';
import { attentionPayloads } from '../../../pcpp/rewrite/sites.js';
import { bothForms } from '../../helpers/compiled-graph.js';
import { conditioningOf, variants } from '../../helpers/denoisers.js';
import { checkFreshPatches } from '../../helpers/fresh-patches.js';
import { noise } from '../../helpers/small-graph.js';

for (const denoiser of variants) {
  const { name, file, tolerance, stagedTolerance } = denoiser;
  for (const payload of attentionPayloads) {
    test(`${name}, ${payload}: patches with fresh borders equal the original`, async (t) => {
      const [height, width] = [32, 16];
      const batch = 2;
      const shape = { height, width, batch, payload };
      const { graph, staged } = await bothForms(file, shape);
      for (const site of graph.sites.borders) {
        if (site.kind === 'attention') t.is(site.payload, payload);
      }
      await checkFreshPatches(t, {
        original: file,
        graph,
        staged,
        sample: noise([batch, graph.sites.channels, height, width], 3),
        timestep: 501,
        conditioning: conditioningOf(denoiser, batch),
        splits: [1, 2, [2, 1, 1]],
        tolerance,
        stagedTolerance,
      });
    });
  }
}
