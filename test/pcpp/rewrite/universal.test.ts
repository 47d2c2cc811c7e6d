/** The patch graph of whole models, universal and in stages: fresh borders give the original graph's result. */

import test from 'ava';
import { bothForms } from '../../helpers/compiled-graph.js';
import { conditioningOf, denoisers, transformers } from '../../helpers/denoisers.js';
import { checkFreshPatches } from '../../helpers/fresh-patches.js';
import { goldenPath } from '../../helpers/golden.js';
import { noise } from '../../helpers/small-graph.js';

for (const denoiser of [...denoisers, ...transformers]) {
  const { name, file, downsampling } = denoiser;
  for (const [batch, payload] of [
    [1, 'kv'],
    [2, 'kv'],
    [2, 'hidden'],
  ] as const) {
    test(`${name}, batch ${batch}, ${payload}: whole image and 1 to 4 patches equal the original`, async (t) => {
      const [height, width] = [6 * downsampling, 2 * downsampling];
      const shape = { height, width, batch, payload };
      const { graph, staged } = await bothForms(file, shape);
      for (const site of graph.sites.borders)
        if (site.kind === 'attention') t.is(site.payload, denoiser.payload ?? payload);
      t.is(graph.sites.downsampling, downsampling);
      await checkFreshPatches(t, {
        original: file,
        graph,
        staged,
        sample: noise([batch, graph.sites.channels, height, width], 3),
        timestep: 501,
        conditioning: conditioningOf(denoiser, batch),
        splits: [1, 2, [2, 1, 3], 4],
      });
    });
  }
}

for (const name of ['tiny-sd15', 'tiny-sdxl']) {
  test(`the decoder of ${name}, norms and attention in the middle, equals the original in patches`, async (t) => {
    const file = goldenPath(`models/${name}/vae_decoder/model.onnx`);
    const shape = { height: 12, width: 6, batch: 1 };
    const { graph, staged } = await bothForms(file, shape);
    const kinds = graph.sites.borders.map(({ kind }) => kind);
    t.true(kinds.includes('attention') && kinds.includes('conv'));
    await checkFreshPatches(t, {
      original: file,
      graph,
      staged,
      sample: noise([1, graph.sites.channels, 12, 6], 3),
      splits: [1, 2, [2, 1, 3], 4],
    });
  });
}

// The table of a transformer is cropped from the centre of a larger one: what a patch reads of it depends on the whole height.
for (const denoiser of [denoisers[1], ...transformers]) {
  test(`one graph of ${denoiser.name} serves any height`, async (t) => {
    const shape = { height: 32, width: 8, batch: 1 };
    const { graph, staged } = await bothForms(denoiser.file, shape);
    for (const height of [8, 20]) {
      await checkFreshPatches(t, {
        original: denoiser.file,
        graph,
        staged,
        sample: noise([1, graph.sites.channels, height, 8], 5),
        conditioning: conditioningOf(denoiser, 1),
        splits: [2],
      });
    }
  });
}

test('a height that the table of a transformer does not reach is refused', async (t) => {
  const [{ file }] = transformers;
  await t.throwsAsync(bothForms(file, { height: 52, width: 8, batch: 1 }), {
    code: 'E_SIZE',
    message: /52/,
  });
});
