/** Unequal rows: as asked for, or as fast as devices have been. */

import test from 'ava';
import { Paces } from '../../../pcpp/engine/paces.js';
import {
  type GenerationRequest,
  type GenerationResult,
  openPipeline,
  type Pipeline,
} from '../../../pcpp/index.js';
import { startCluster } from '../../../runtime/index.js';
import { scenesPath } from '../../helpers/golden.js';

const request: GenerationRequest = {
  prompt: 'mountains, the ocean, sunrise, clouds',
  width: 64,
  height: 256,
  steps: 6,
  seed: 5,
  warmupSteps: 2,
  cooldownSteps: 0,
};
const make = (pipeline: Pipeline, more: Partial<GenerationRequest>): Promise<GenerationResult> =>
  pipeline.generate({ ...request, ...more }).result;

test.serial('rows are shared out as asked, and every byte is as planned', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
  for (const mode of ['pcpp', 'sync'] as const) {
    const made = await make(pipeline, { mode, rowShares: [3, 1] });
    t.deepEqual(made.bounds, [0, 24, 32]);
    t.is(made.steps.at(-1)!.borderBytes, made.forecast!.total);
  }
  await t.throwsAsync(make(pipeline, { rowShares: [1, 2, 1] }), {
    code: 'E_OPTION',
    message: /rowShares has 3 weights for 2 patches/,
  });
  await t.throwsAsync(make(pipeline, { mode: 'auto', rowShares: [1, 1] }), {
    code: 'E_OPTION',
    message: /auto chooses how many patches there are/,
  });
  // Nothing was measured of another pipeline, and whatever comes of this one is a split of all rows.
  const measured = await make(pipeline, { rowShares: 'measured' });
  t.is(measured.bounds.at(-1), 32);
  t.is(measured.bounds.length, 3);
  const rowShares = measured.bounds.slice(1).map((end, patch) => end - measured.bounds[patch]!);
  t.deepEqual((await make(pipeline, { rowShares })).png, measured.png);
});

test('a device that takes twice as long for its rows gets half as many', (t) => {
  const paces = new Paces();
  const owners = [[0], [1]];
  paces.note(0, 16, [10, 11, 90]);
  t.is(paces.sharesOf(owners), undefined, 'of one of them nothing is known');
  paces.note(1, 16, []);
  t.is(paces.sharesOf(owners), undefined, 'no step says nothing');
  paces.note(1, 16, [22, 22, 22]);
  t.deepEqual(paces.sharesOf(owners), [16 / 11, 16 / 22]);
  // Of two that own the same rows the slower one counts; of two images the later one.
  t.deepEqual(paces.sharesOf([[0, 1]]), [16 / 22]);
  paces.note(1, 8, [11]);
  t.deepEqual(paces.sharesOf(owners), [16 / 11, 8 / 11]);
});
