/** The universal patch graph of whole models: fresh borders give the original graph's result. */

import { join } from 'node:path';
import test from 'ava';
import type { Value, Values } from '../../../pcpp/onnx/session.js';
import { compilePatchGraph } from '../../../pcpp/rewrite/compile.js';
import { checkFreshPatches } from '../../helpers/fresh-patches.js';
import { goldenPath, scenesPath } from '../../helpers/golden.js';
import { noise } from '../../helpers/small-graph.js';

const tokens = 7;

interface Subject {
  readonly name: string;
  readonly file: string;
  /** Widths of the model's other inputs. */
  readonly features: Readonly<Record<string, number>>;
  readonly downsampling: number;
}

const subjects: readonly Subject[] = [
  {
    name: 'tiny-sd15',
    file: goldenPath('models/tiny-sd15/unet/model.onnx'),
    features: { encoder_hidden_states: 8 },
    downsampling: 8,
  },
  {
    name: 'tiny-sdxl',
    file: goldenPath('models/tiny-sdxl/unet/model.onnx'),
    features: { encoder_hidden_states: 20, text_embeds: 12, time_ids: 6 },
    downsampling: 4,
  },
  {
    name: 'scenes',
    file: join(scenesPath, 'unet', 'model.onnx'),
    features: { encoder_hidden_states: 128 },
    downsampling: 8,
  },
];

function conditioningOf(features: Subject['features'], batch: number): Values {
  const entries = Object.entries(features).map(([name, width], index): [string, Value] => {
    const dims = name === 'encoder_hidden_states' ? [batch, tokens, width] : [batch, width];
    return [name, { type: 'float32', ...noise(dims, 11 + index) }];
  });
  return Object.fromEntries(entries);
}

for (const { name, file, features, downsampling } of subjects) {
  for (const [batch, payload] of [
    [1, 'kv'],
    [2, 'kv'],
    [2, 'hidden'],
  ] as const) {
    test(`${name}, batch ${batch}, ${payload}: whole image and 1 to 4 patches equal the original`, async (t) => {
      const [height, width] = [6 * downsampling, 2 * downsampling];
      const graph = await compilePatchGraph(file, { height, width, batch, payload });
      for (const site of graph.sites.borders)
        if (site.kind === 'attention') t.is(site.payload, payload);
      t.is(graph.sites.downsampling, downsampling);
      await checkFreshPatches(t, {
        original: file,
        graph,
        sample: noise([batch, graph.sites.channels, height, width], 3),
        timestep: 501,
        conditioning: conditioningOf(features, batch),
        splits: [1, 2, [2, 1, 3], 4],
      });
    });
  }
}

for (const name of ['tiny-sd15', 'tiny-sdxl']) {
  test(`the decoder of ${name}, norms and attention in the middle, equals the original in patches`, async (t) => {
    const file = goldenPath(`models/${name}/vae_decoder/model.onnx`);
    const graph = await compilePatchGraph(file, { height: 12, width: 6, batch: 1 });
    const kinds = graph.sites.borders.map(({ kind }) => kind);
    t.true(kinds.includes('attention') && kinds.includes('conv'));
    await checkFreshPatches(t, {
      original: file,
      graph,
      sample: noise([1, graph.sites.channels, 12, 6], 3),
      splits: [1, 2, [2, 1, 3], 4],
    });
  });
}

test('one graph serves any height', async (t) => {
  const { file, features } = subjects[1]!;
  const graph = await compilePatchGraph(file, { height: 32, width: 8, batch: 1 });
  for (const height of [8, 20]) {
    await checkFreshPatches(t, {
      original: file,
      graph,
      sample: noise([1, graph.sites.channels, height, 8], 5),
      conditioning: conditioningOf(features, 1),
      splits: [2],
    });
  }
});
