/** The same networks as other exporters write them: torch's newer one, external weights, half precision. */

import test from 'ava';
import type { Value, Values } from '../../../pcpp/onnx/session.js';
import { compilePatchGraph } from '../../../pcpp/rewrite/compile.js';
import { attentionPayloads } from '../../../pcpp/rewrite/sites.js';
import { checkFreshPatches } from '../../helpers/fresh-patches.js';
import { goldenPath } from '../../helpers/golden.js';
import { noise } from '../../helpers/small-graph.js';

const sd15 = { encoder_hidden_states: 8 };
const sdxl = { encoder_hidden_states: 20, text_embeds: 12, time_ids: 6 };

const variants = [
  { name: 'tiny-sd15-unet-dynamo-opset18', features: sd15, tolerance: 1e-5 },
  { name: 'tiny-sdxl-unet-dynamo-opset23-extdata', features: sdxl, tolerance: 1e-5 },
  // The original in half precision is itself 3e-3 from the float32 one, and the patch graph is no farther from that.
  { name: 'tiny-sdxl-unet-fp16', features: sdxl, tolerance: 4e-3 },
] as const;

for (const { name, features, tolerance } of variants) {
  for (const payload of attentionPayloads) {
    test(`${name}, ${payload}: patches with fresh borders equal the original`, async (t) => {
      const file = goldenPath(`models/variants/${name}/model.onnx`);
      const [height, width] = [32, 16];
      const batch = 2;
      const graph = await compilePatchGraph(file, { height, width, batch, payload });
      const entries = Object.entries(features).map(([port, length], index): [string, Value] => {
        const dims = port === 'encoder_hidden_states' ? [batch, 7, length] : [batch, length];
        return [port, { type: 'float32', ...noise(dims, 11 + index) }];
      });
      const conditioning: Values = Object.fromEntries(entries);
      for (const site of graph.sites.borders) {
        if (site.kind === 'attention') t.is(site.payload, payload);
      }
      await checkFreshPatches(t, {
        original: file,
        graph,
        sample: noise([batch, graph.sites.channels, height, width], 3),
        timestep: 501,
        conditioning,
        splits: [1, 2, [2, 1, 1]],
        tolerance,
      });
    });
  }
}
