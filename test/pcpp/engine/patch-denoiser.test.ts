/** The contract of one patch's denoiser, on the tiny SDXL model. */

import test from 'ava';
import { latentOf, momentsOf } from '../../../pcpp/engine/borders.js';
import type { PatchDenoiser } from '../../../pcpp/engine/patch-denoiser.js';
import { PcppError, type PcppErrorCode } from '../../../pcpp/errors.js';
import type { Values } from '../../../pcpp/onnx/session.js';
import { manifestOf } from '../../../pcpp/partition/manifest.js';
import { type PlanOptions, planPatches } from '../../../pcpp/partition/plan.js';
import { borderBytes } from '../../../pcpp/partition/wire.js';
import type { AttentionPayload } from '../../../pcpp/rewrite/sites.js';
import { concatBatch, type Tensor, takeRows } from '../../../pcpp/tensor.js';
import { compiledGraph } from '../../helpers/compiled-graph.js';
import { goldenPath, maxAbsDifference } from '../../helpers/golden.js';
import { PatchCrew } from '../../helpers/patch-crew.js';
import { noise } from '../../helpers/small-graph.js';

const [height, width, batch] = [24, 8, 2];
const timestep = 301;
const conditioning: Values = {
  encoder_hidden_states: { type: 'float32', ...noise([batch, 7, 20], 2) },
  text_embeds: { type: 'float32', ...noise([batch, 12], 3) },
  time_ids: { type: 'float32', ...noise([batch, 6], 4) },
};
const sample = noise([batch, 4, height, width], 5);
const next = noise([batch, 4, height, width], 6);

async function crewOf(
  change: Partial<PlanOptions> = {},
  payload: AttentionPayload = 'kv',
): Promise<PatchCrew> {
  const shape = { height, width, batch, payload };
  const graph = await compiledGraph(goldenPath('models/tiny-sdxl/unet/model.onnx'), shape);
  const options = { ...shape, patches: 3, mode: 'pcpp', ...change } as const;
  return PatchCrew.open(graph, planPatches(graph.sites, options));
}

/** A whole step, a displaced one, and one more from messages. */
async function threeSteps(crew: PatchCrew): Promise<Tensor> {
  await crew.whole(sample, timestep, conditioning);
  await crew.displaced(next, timestep, conditioning);
  return crew.displaced(next, timestep, conditioning, crew.messages());
}

test('messages have exactly the bytes that the plan says', async (t) => {
  for (const mode of ['pcpp', 'distrifusion'] as const) {
    const crew = await crewOf({ mode });
    await crew.whole(sample, timestep, conditioning);
    await crew.displaced(next, timestep, conditioning);
    for (const [to, messages] of crew.messages().entries()) {
      for (const [from, payload] of messages) {
        t.is(payload.byteLength, borderBytes(crew.plan, from, to));
        t.is(momentsOf(crew.plan, from, to, payload)?.length, 30 * 2 * batch * 8);
      }
    }
  }
});

test('latent rows travel unscaled with the message', async (t) => {
  const crew = await crewOf();
  const latent = noise([1, 4, height, width], 8);
  await crew.whole(sample, timestep, conditioning);
  await crew.displaced(next, timestep, conditioning);
  const messages = crew.messages(crew.patches.map((_, index) => crew.own(latent, index)));
  const rows = (from: number, to: number) =>
    latentOf(crew.plan, from, to, messages[to]!.get(from)!);
  t.deepEqual(rows(0, 1), takeRows(latent, 7, 8));
  t.deepEqual(rows(1, 0), takeRows(latent, 8, 9));
  t.is(rows(0, 2), undefined);
});

test('two identical runs give identical bytes', async (t) => {
  const first = await crewOf();
  const second = await crewOf();
  t.deepEqual(await threeSteps(first), await threeSteps(second));
});

test('two patches with p = 1 compute what DistriFusion computes', async (t) => {
  const whole = await crewOf({ patches: 2, borderFraction: 1 });
  const distrifusion = await crewOf({ patches: 2, mode: 'distrifusion' });
  t.deepEqual(await threeSteps(whole), await threeSteps(distrifusion));
});

test('at age 2 borders and own moments are those of two steps before', async (t) => {
  const crew = await crewOf({ mode: 'distrifusion', age: 2 });
  const [whole] = await crew.whole(sample, timestep, conditioning);
  await crew.displaced(sample, timestep, conditioning);
  const messages = crew.messages();
  await crew.displaced(next, timestep, conditioning);
  const again = await crew.displaced(sample, timestep, conditioning, messages);
  const largest = Math.max(...whole!.data.map(Math.abs));
  t.true(maxAbsDifference(again.data, whole!.data) < 1e-5 * largest);
});

test('hidden states give what keys and values give, for half the bytes of attention', async (t) => {
  const change = { borderCut: 'tokens', borderFraction: 0.4 } as const;
  const [kv, hidden] = [await crewOf(change), await crewOf(change, 'hidden')];
  const attention = (crew: PatchCrew): number => {
    const isAttention = (id: number) => crew.plan.sites.borders[id]!.kind === 'attention';
    const { regions } = manifestOf(crew.plan, 0, 1);
    const parts = regions.filter((part) => part.kind === 'border' && isAttention(part.site));
    return parts.reduce((sum, part) => sum + part.length, 0);
  };
  t.is(attention(kv), 2 * attention(hidden));
  const [one, other] = [await threeSteps(kv), await threeSteps(hidden)];
  t.true(maxAbsDifference(one.data, other.data) < 1e-5 * Math.max(...one.data.map(Math.abs)));
});

test('one patch alone needs no message and is the whole image', async (t) => {
  const crew = await crewOf({ patches: 1 });
  const [whole] = await crew.whole(sample, timestep, conditioning);
  await crew.displaced(next, timestep, conditioning);
  t.deepEqual(await crew.displaced(sample, timestep, conditioning), whole);
});

test('another whole step may follow displaced ones', async (t) => {
  const crew = await crewOf({ patches: 2 });
  const [before] = await crew.whole(sample, timestep, conditioning);
  await crew.displaced(next, timestep, conditioning);
  const [after] = await crew.whole(sample, timestep, conditioning);
  t.deepEqual(after, before);
});

const mistakes: readonly [
  what: string,
  code: PcppErrorCode,
  text: RegExp,
  make: (patch: PatchDenoiser, crew: PatchCrew) => Promise<unknown>,
][] = [
  [
    'a whole step of another height',
    'E_SHAPE',
    /takes \[2,4,24,8\], got \[2,4,8,8\]/,
    (patch, crew) => patch.whole({ sample: crew.own(sample, 0), timestep, conditioning }),
  ],
  [
    'a displaced step without latent rows',
    'E_SHAPE',
    /needs 1 latent rows from before/,
    (patch, crew) => patch.displaced({ sample: crew.own(next, 1), timestep, conditioning }),
  ],
  [
    'a missing input',
    'E_SHAPE',
    /needs the inputs encoder_hidden_states, text_embeds, time_ids/,
    (patch) => patch.whole({ sample, timestep, conditioning: {} }),
  ],
  [
    'a message after a whole step',
    'E_OPTION',
    /only after a displaced step/,
    async (patch) => patch.outbound(0),
  ],
];

for (const [what, code, text, make] of mistakes) {
  test(`refuses ${what}`, async (t) => {
    const crew = await crewOf();
    await crew.whole(sample, timestep, conditioning);
    const error = await t.throwsAsync(make(crew.patches[1]!, crew), { instanceOf: PcppError });
    t.is(error.code, code);
    t.regex(error.message, text);
  });
}

test('refuses displaced steps without what they need', async (t) => {
  const crew = await crewOf();
  await t.throwsAsync(crew.displaced(next, timestep, conditioning), {
    code: 'E_OPTION',
    message: /whole-image step before/,
  });
  await crew.whole(sample, timestep, conditioning);
  await crew.displaced(next, timestep, conditioning);
  await t.throwsAsync(crew.displaced(next, timestep, conditioning), {
    code: 'E_SHAPE',
    message: /patch 0 has no message from patch 1/,
  });
  const messages = crew
    .messages()
    .map((all) => new Map([...all].map(([from, payload]) => [from, payload.slice(1)])));
  await t.throwsAsync(crew.displaced(next, timestep, conditioning, messages), {
    code: 'E_SHAPE',
    message: /the plan says/,
  });
});

test('refuses a latent with guidance rows where one is to travel', async (t) => {
  const crew = await crewOf();
  await crew.whole(sample, timestep, conditioning);
  await crew.displaced(next, timestep, conditioning);
  const own = crew.own(next, 0);
  t.throws(() => crew.patches[0]!.outbound(1, concatBatch([own, own])), {
    code: 'E_SHAPE',
    message: /latent region/,
  });
});
