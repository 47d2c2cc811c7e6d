/** Single evaluations of the real diffusers UNets. */

import { join } from 'node:path';
import test from 'ava';
import { unetFeeds } from '../../../pcpp/engine/unet.js';
import { floatOutput } from '../../../pcpp/model/feed.js';
import { Session } from '../../../pcpp/onnx/session.js';
import { tensor } from '../../../pcpp/tensor.js';
import { goldenJson, goldenPath, maxAbsDifference } from '../../helpers/golden.js';
import { floats, readSafetensors } from '../../helpers/safetensors.js';

interface Entry {
  readonly model: string;
  readonly file: string;
  readonly timestep: number;
  readonly tol_max_abs: number;
}

const entries = ['sd15', 'sdxl'].flatMap(
  (set) => goldenJson<{ readonly unet: readonly Entry[] }>(`refs/manifest-${set}.json`).unet,
);

for (const { model, file, timestep, tol_max_abs } of entries) {
  test(`${file} is predicted as by diffusers`, async (t) => {
    const folder = model.startsWith('variants/') ? model : `${model}/unet`;
    const tensors = readSafetensors(goldenPath(file));
    const read = (name: string) => tensor(tensors[name]!.dims, floats(tensors, name));
    await using session = await Session.open(join(goldenPath(`models/${folder}`), 'model.onnx'));
    const feeds = unetFeeds(session, read('sample'), timestep, {
      hidden: read('encoder_hidden_states'),
      ...('text_embeds' in tensors
        ? { pooled: read('text_embeds'), timeIds: read('time_ids') }
        : {}),
    });
    const output = floatOutput(await session.run(feeds), 'out_sample');
    t.true(maxAbsDifference(output.data, floats(tensors, 'out_sample')) <= tol_max_abs);
  });
}
