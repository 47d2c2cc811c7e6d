/** Single evaluations of the real diffusers networks. */

import { join } from 'node:path';
import test from 'ava';
import { denoiserFeeds } from '../../../pcpp/engine/evaluation.js';
import { latentOfTokens } from '../../../pcpp/engine/latent-tokens.js';
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

interface Size {
  readonly latent_width: number;
}

const entries = ['sd15', 'sdxl'].flatMap(
  (set) => goldenJson<{ readonly unet: readonly Entry[] }>(`refs/manifest-${set}.json`).unet,
);

for (const family of ['sd3', 'flux'] as const) {
  test(`tiny-${family} is predicted as by diffusers, at one timestep for every batch row`, async (t) => {
    const { single_step } =
      goldenJson<Readonly<Record<string, { readonly single_step: readonly (Entry & Size)[] }>>>(
        'refs/manifest-dit.json',
      )[family]!;
    const model = goldenPath(`models/tiny-${family}/transformer/model.onnx`);
    await using session = await Session.open(model);
    for (const { file, latent_width, tol_max_abs } of single_step) {
      const tensors = readSafetensors(goldenPath(file));
      const read = (name: string) => tensor(tensors[name]!.dims, floats(tensors, name));
      const [timestep, ...others] = floats(tensors, 'timestep');
      t.true(others.every((other) => other === timestep));
      const isFlux = family === 'flux';
      const sample = read('hidden_states');
      const latent = isFlux ? latentOfTokens(sample, latent_width) : sample;
      const feeds = denoiserFeeds(session, latent, timestep!, {
        hidden: read('encoder_hidden_states'),
        pooled: read('pooled_projections'),
        ...(isFlux ? { textPositions: read('txt_ids'), guidance: read('guidance') } : {}),
      });
      if (isFlux) {
        const { data } = feeds['img_ids']!;
        t.deepEqual([...(data as Float32Array)], [...floats(tensors, 'img_ids')]);
      }
      const output = floatOutput(await session.run(feeds), 'out_hidden_states');
      t.true(maxAbsDifference(output.data, floats(tensors, 'out_hidden_states')) <= tol_max_abs);
    }
  });
}

for (const { model, file, timestep, tol_max_abs } of entries) {
  test(`${file} is predicted as by diffusers`, async (t) => {
    const folder = model.startsWith('variants/') ? model : `${model}/unet`;
    const tensors = readSafetensors(goldenPath(file));
    const read = (name: string) => tensor(tensors[name]!.dims, floats(tensors, name));
    await using session = await Session.open(join(goldenPath(`models/${folder}`), 'model.onnx'));
    const feeds = denoiserFeeds(session, read('sample'), timestep, {
      hidden: read('encoder_hidden_states'),
      ...('text_embeds' in tensors
        ? { pooled: read('text_embeds'), timeIds: read('time_ids') }
        : {}),
    });
    const output = floatOutput(await session.run(feeds), 'out_sample');
    t.true(maxAbsDifference(output.data, floats(tensors, 'out_sample')) <= tol_max_abs);
  });
}
