/** A latent consistency model: few steps, no batch of two, and the guidance scale as sines and cosines among the inputs. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { prepare } from '../../../pcpp/engine/generation-settings.js';
import { ModelDirectory } from '../../../pcpp/model/directory.js';
import { Model } from '../../../pcpp/model/model.js';
import { elementTypes } from '../../../pcpp/onnx/messages.js';
import { int64Tensor, openModel, parseModel, portOf, saveModel } from '../../../pcpp/onnx/model.js';
import { guidanceEmbedding } from '../../../pcpp/text/guidance-embedding.js';
import { goldenPath, maxAbsDifference } from '../../helpers/golden.js';
import { ImageMaker } from '../../helpers/in-process-image.js';
import { modelCopy } from '../../helpers/model-copy.js';
import { node } from '../../helpers/small-graph.js';

const root = goldenPath('models/tiny-sd15');
const features = 16;

/** tiny-sd15 with an input `timestep_cond`, whose mean goes to every feature of the text. @returns Path of the directory. */
function consistencyCopy(): string {
  const unet = parseModel(readFileSync(join(root, 'unet/model.onnx')));
  const { float32 } = elementTypes;
  const graph = {
    ...unet.graph,
    node: [
      node('ReduceMean', ['timestep_cond'], ['mean'], { axes: [1], keepdims: 1 }),
      node('Unsqueeze', ['mean', 'last'], ['shift']),
      node('Add', ['encoder_hidden_states', 'shift'], ['guided_states']),
      ...(unet.graph.node ?? []).map((entry) => ({
        ...entry,
        input: (entry.input ?? []).map((name) =>
          name === 'encoder_hidden_states' ? 'guided_states' : name,
        ),
      })),
    ],
    initializer: [...(unet.graph.initializer ?? []), int64Tensor('last', [2])],
    input: [
      ...(unet.graph.input ?? []),
      portOf({ name: 'timestep_cond', elementType: float32, dims: ['batch_size', features] }),
    ],
  };
  const config = JSON.parse(readFileSync(join(root, 'unet/config.json'), 'utf8')) as object;
  const scheduler = JSON.parse(
    readFileSync(join(root, 'scheduler/scheduler_config.json'), 'utf8'),
  ) as object;
  return modelCopy(root, {
    'model_index.json': { _class_name: 'LatentConsistencyModelPipeline' },
    'unet/model.onnx': saveModel(openModel({ ...unet.proto, graph }, '.')),
    'unet/config.json': { ...config, time_cond_proj_dim: features },
    'scheduler/scheduler_config.json': { ...scheduler, _class_name: 'LCMScheduler' },
  });
}

const request = { prompt: 'a lake', width: 128, height: 128, seed: 3 } as const;

test('sines and cosines of a thousand times the scale above 1', (t) => {
  const { dims, data } = guidanceEmbedding(1.002, 4);
  t.deepEqual(dims, [1, 4]);
  const expected = [Math.sin(2), Math.sin(2e-4), Math.cos(2), Math.cos(2e-4)];
  t.true(expected.every((value, index) => Math.abs(data[index]! - value) < 1e-6));
  t.is(guidanceEmbedding(3, 5).data[4], 0);
});

test('four steps, the guidance of its kind, and no negative prompt', (t) => {
  const settings = prepare({ prompt: '' }, ModelDirectory.open(consistencyCopy()));
  const { steps, sampler, guidanceScale, guidanceInput } = settings;
  t.deepEqual(
    { steps, sampler, guidanceScale, guidanceInput },
    { steps: 4, sampler: 'lcm', guidanceScale: 1, guidanceInput: 8.5 },
  );
});

test('one device and two make a picture that the guidance scale changes', async (t) => {
  await using model = Model.open(consistencyCopy());
  const maker = new ImageMaker(model);
  const alone = await maker.make({ ...request, mode: 'single' }, 1);
  const other = await maker.make({ ...request, mode: 'single', guidanceScale: 2 }, 1);
  t.true(maxAbsDifference(alone.latent.data, other.latent.data) > 1e-3);
  // Nothing is displaced: the patch graph takes the input too.
  const whole = await maker.make({ ...request, wire: 'fp32', warmupSteps: 4 }, 2);
  t.true(maxAbsDifference(alone.latent.data, whole.latent.data) < 1e-3);
  const displaced = await maker.make({ ...request, wire: 'fp32', warmupSteps: 1 }, 2);
  t.true(displaced.latent.data.every(Number.isFinite));
  t.is(displaced.periods[0]!.plan.batch, 1);
});
