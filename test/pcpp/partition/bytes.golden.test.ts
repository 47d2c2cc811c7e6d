/** Bytes of the real SDXL UNet at 1024 x 1024 against a count made from its PyTorch modules, not from any ONNX file. */

import test from 'ava';
import {
  asDistrifusion,
  forecastBytes,
  publishedDistrifusion,
} from '../../../pcpp/partition/bytes.js';
import { manifestOf } from '../../../pcpp/partition/manifest.js';
import { type PatchPlan, planPatches } from '../../../pcpp/partition/plan.js';
import type { AttentionPayload, Site } from '../../../pcpp/rewrite/sites.js';
import { compiledGraph } from '../../helpers/compiled-graph.js';
import { goldenJson, goldenPath } from '../../helpers/golden.js';

interface Received {
  readonly attention: number;
  readonly halo: number;
  readonly moments: number;
  readonly latent_rows: number;
  readonly total_with_latent_rows: number;
}

interface Table {
  readonly latent: readonly [number, number];
  readonly n: number;
  readonly distrifusion: { readonly attention: number; readonly total: number };
  readonly pcpp: readonly {
    readonly p: number;
    readonly cut: string;
    readonly payload: string;
    readonly received: readonly Received[];
    readonly sent: readonly Received[];
  }[];
}

interface Counted {
  readonly counts: {
    readonly conv_in: number;
    readonly halo: number;
    readonly attention: number;
    readonly moments: number;
  };
  readonly tables: readonly Table[];
}

const [counted] = goldenJson<{ readonly models: readonly Counted[] }>(
  'graphs/bytes-sdxl.json',
).models;
const { counts, tables } = counted!;
/** The count is in half precision, the engine sends float32. */
const halves = 2;

const payloads = ['kv', 'hidden'] as const;

const graphOf = (payload: AttentionPayload) =>
  compiledGraph(goldenPath('graphs/sdxl-unet/model.onnx'), {
    height: 128,
    width: 128,
    batch: 1,
    payload,
  });

/** Half-precision bytes that patch `to` receives, by what they are. */
function receivedBy(plan: PatchPlan, to: number): Received {
  const sums = { moments: 0, latent: 0, conv: 0, attention: 0 };
  for (let from = 0; from < plan.bounds.length - 1; from++) {
    for (const region of from === to ? [] : manifestOf(plan, from, to).regions) {
      const kind = region.kind === 'border' ? plan.sites.borders[region.site]!.kind : region.kind;
      sums[kind] += halves * region.length;
    }
  }
  const total = sums.moments + sums.latent + sums.conv + sums.attention;
  const { attention, moments, conv, latent } = sums;
  return { attention, halo: conv, moments, latent_rows: latent, total_with_latent_rows: total };
}

test('the sites of SDXL are all found', async (t) => {
  const { sites } = await graphOf('kv');
  const nodesOf = (among: readonly Pick<Site, 'nodes'>[]): number =>
    among.flatMap((site) => site.nodes).length;
  const convs = sites.borders.filter((site) => site.kind === 'conv');
  t.is(nodesOf(convs.filter((site) => site.fresh)), counts.conv_in);
  t.is(nodesOf(convs.filter((site) => !site.fresh)), counts.halo);
  t.is(nodesOf(sites.borders) - nodesOf(convs), 2 * counts.attention);
  const hidden = (await graphOf('hidden')).sites.borders;
  t.is(nodesOf(hidden) - nodesOf(convs), counts.attention);
  t.is(nodesOf(sites.norms), counts.moments);
  t.is(sites.downsampling, 4);
});

for (const { latent, n, distrifusion, pcpp } of tables.filter((table) => table.latent[1] === 128)) {
  for (const payload of payloads) {
    for (const cut of ['rows', 'tokens'] as const) {
      test(`${n} patches receive and send what was counted: ${payload} by ${cut}`, async (t) => {
        const { sites } = await graphOf(payload);
        const [height, width] = latent;
        const expected = pcpp.find((entry) => entry.cut === cut && entry.payload === payload)!;
        const options = { height, width, batch: 1, patches: n, borderCut: cut } as const;
        const plan = planPatches(sites, { ...options, mode: 'pcpp', borderFraction: expected.p });
        const forecast = forecastBytes(plan);
        for (const [patch, received] of expected.received.entries()) {
          const { attention, halo, moments, latent_rows, total_with_latent_rows } = received;
          const all = { attention, halo, moments, latent_rows, total_with_latent_rows };
          t.deepEqual(receivedBy(plan, patch), all);
          t.is(forecast.received[patch], (4 / halves) * total_with_latent_rows);
          t.is(forecast.sent[patch], (4 / halves) * expected.sent[patch]!.total_with_latent_rows);
        }
        t.is(receivedBy(asDistrifusion(plan), 0).attention, distrifusion.attention);
        t.deepEqual(publishedDistrifusion(plan), Array(n).fill(distrifusion.total));
      });
    }
  }
}

/** By devices, the least share of DistriFusion's bytes that is saved at p = 0.3, cut by tokens. */
const savings = [
  { payload: 'kv', wire: 'fp16', least: { 4: 0.84, 8: 0.91 } },
  { payload: 'hidden', wire: 'fp16', least: { 4: 0.9, 8: 0.94 } },
  { payload: 'hidden', wire: 'int8', least: { 4: 0.94, 8: 0.97 } },
] as const;

for (const { payload, wire, least } of savings) {
  test(`SDXL saves as much of DistriFusion's traffic as it should: ${payload}, ${wire}`, async (t) => {
    const { sites } = await graphOf(payload);
    for (const patches of [4, 8] as const) {
      const size = { height: 128, width: 128, batch: 1, patches } as const;
      const rules = { mode: 'pcpp', borderFraction: 0.3, borderCut: 'tokens', wire } as const;
      const plan = planPatches(sites, { ...size, ...rules });
      const published = publishedDistrifusion(plan).reduce((a, b) => a + b);
      const saving = 1 - forecastBytes(plan).total / published;
      t.true(saving >= least[patches], `${patches} devices: ${saving}`);
    }
  });
}
