/** The real PixArt-Sigma transformer at 1024 x 1024, a graph without weights: it can be split and counted. */

import test from 'ava';
import { forecastBytes, publishedDistrifusion } from '../../../pcpp/partition/bytes.js';
import { planPatches } from '../../../pcpp/partition/plan.js';
import { compiledGraph } from '../../helpers/compiled-graph.js';
import { goldenPath } from '../../helpers/golden.js';

const shape = { height: 128, width: 128, batch: 1 };
const compiled = (payload: 'kv' | 'hidden') =>
  compiledGraph(goldenPath('graphs/pixart-sigma-transformer/model.onnx'), { ...shape, payload });

const [layers, features, tokens] = [28, 1152, 64 * 64];
const halves = 2;

test('its self-attentions are its only sites', async (t) => {
  for (const [payload, blocks] of [
    ['kv', 2 * layers],
    ['hidden', layers],
  ] as const) {
    const { sites, output } = await compiled(payload);
    t.is(output, 'out_hidden_states');
    t.is(sites.downsampling, 2);
    t.is(sites.norms.length, 0);
    const [site] = sites.borders;
    t.is(sites.borders.length, 1);
    t.like(site, { kind: 'attention', payload, inner: 64, size: features, outer: blocks });
    t.is(site!.nodes.length, blocks);
  }
});

test('what a device tells and hears in a step is arithmetic on layers, tokens and features', async (t) => {
  const { sites } = await compiled('kv');
  for (const patches of [2, 4, 8]) {
    const own = tokens / patches;
    const all = planPatches(sites, { ...shape, patches, mode: 'distrifusion', wire: 'fp16' });
    // Each hears keys and values of everybody else.
    const heard = 2 * layers * features * (tokens - own) * halves;
    t.deepEqual(publishedDistrifusion(all), Array<number>(patches).fill(heard));
    for (const p of [0.1, 0.3, 0.5]) {
      const borders = {
        mode: 'pcpp',
        borderFraction: p,
        borderCut: 'tokens',
        wire: 'fp16',
      } as const;
      const plan = planPatches(sites, { ...shape, patches, ...borders });
      const border = 2 * layers * features * Math.floor(p * own) * halves;
      // Every edge between patches has two sides.
      const latent = forecastBytes(plan).total - 2 * (patches - 1) * border;
      t.is(latent, 0, `${patches} patches, p = ${p}`);
    }
  }
});

test('its table is for one height', async (t) => {
  const { sites } = await compiled('kv');
  const plan = () => planPatches(sites, { ...shape, height: 64, patches: 2, mode: 'pcpp' });
  t.throws(plan, { code: 'E_SIZE', message: /latent height 128.*not for 64/ });
});
