/** Which tokens of its neighbours a patch attends to. */

import test from 'ava';
import { int64Tensor } from '../../../pcpp/onnx/model.js';
import { type PlanOptions, planPatches } from '../../../pcpp/partition/plan.js';
import { compileModel } from '../../../pcpp/rewrite/compile.js';
import { attentionPayloads } from '../../../pcpp/rewrite/sites.js';
import { PatchCrew } from '../../helpers/patch-crew.js';
import { node, noise, smallModel, weight } from '../../helpers/small-graph.js';

const [height, width, channels] = [8, 4, 4];

/** Self-attention over the pixels of the latent. */
const model = smallModel({
  nodes: [
    node('Reshape', ['sample', 'tokens'], ['flat']),
    node('Transpose', ['flat'], ['x'], { perm: [0, 2, 1] }),
    ...['q', 'k', 'v'].map((name) => node('MatMul', ['x', `w${name}`], [name])),
    node('Transpose', ['k'], ['kt'], { perm: [0, 2, 1] }),
    node('MatMul', ['q', 'kt'], ['s']),
    node('Softmax', ['s'], ['p'], { axis: -1 }),
    node('MatMul', ['p', 'v'], ['mixed']),
    node('Transpose', ['mixed'], ['back'], { perm: [0, 2, 1] }),
    node('Reshape', ['back', 'image'], ['out_sample']),
  ],
  initializers: [
    int64Tensor('tokens', [0, 0, -1]),
    int64Tensor('image', [0, 4, -1, width]),
    ...['wq', 'wk', 'wv'].map((name, index) => weight(name, [4, 4], 20 + index)),
  ],
});

/** Tokens of the lower patch, counted from the edge, whose change the upper patch sees. */
async function seenFromAbove(
  payload: (typeof attentionPayloads)[number],
  options: Pick<PlanOptions, 'borderCut' | 'borderFraction'>,
): Promise<number[]> {
  const shape = { height, width, batch: 1, payload };
  const graph = await compileModel(model, shape);
  const plan = planPatches(graph.sites, { ...shape, patches: 2, mode: 'pcpp', ...options });
  const upper = async (changed?: number): Promise<Float32Array> => {
    const crew = await PatchCrew.open(graph, plan);
    const sample = noise([1, channels, height, width]);
    if (changed !== undefined) sample.data[(height / 2) * width + changed]! += 1;
    await crew.whole(sample, 0, {});
    const out = await crew.displaced(noise([1, channels, height, width], 2), 0, {});
    return crew.own(out, 0).data;
  };
  const before = await upper();
  const seen: number[] = [];
  for (let token = 0; token < (height / 2) * width; token++) {
    const after = await upper(token);
    if (after.some((value, index) => value !== before[index])) seen.push(token);
  }
  return seen;
}

const first = (count: number): number[] => [...Array(count).keys()];

for (const payload of attentionPayloads) {
  test(`${payload}: p of 16 tokens, rounded down to tokens or up to rows of 4`, async (t) => {
    const tokens = { borderCut: 'tokens', borderFraction: 0.35 } as const;
    t.deepEqual(await seenFromAbove(payload, tokens), first(5));
    const rows = { borderCut: 'rows', borderFraction: 0.35 } as const;
    t.deepEqual(await seenFromAbove(payload, rows), first(8));
    t.deepEqual(await seenFromAbove(payload, { ...tokens, borderFraction: 0.01 }), []);
  });
}
