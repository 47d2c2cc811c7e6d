/** Whole text-to-image runs of the real diffusers pipelines, with the same first latents. */

import test from 'ava';
import { generateSingle } from '../../../pcpp/engine/single.js';
import { Model } from '../../../pcpp/model/model.js';
import { type Tensor, takeBatch, tensor } from '../../../pcpp/tensor.js';
import { encodePrompt, wholePicture } from '../../../pcpp/text/encode-prompt.js';
import { goldenJson, goldenPath, maxAbsDifference } from '../../helpers/golden.js';
import { modelCopy } from '../../helpers/model-copy.js';
import { floats, readSafetensors } from '../../helpers/safetensors.js';

type Pair = readonly [number, number];

interface Run {
  readonly name: string;
  readonly model: string;
  readonly file: string;
  readonly prompt: string | readonly string[];
  readonly negative_prompt: string | readonly string[] | null;
  readonly height: number;
  readonly width: number;
  readonly num_inference_steps: number;
  readonly guidance_scale: number;
  readonly latents_shape: readonly number[];
  readonly extra: {
    readonly original_size?: Pair;
    readonly crops_coords_top_left?: Pair;
    readonly target_size?: Pair;
  };
  readonly scheduler: Readonly<Record<string, unknown>>;
  readonly tol_max_abs_latents: number;
  readonly tol_u8_image: number;
}

const runs = ['sd15', 'sdxl'].flatMap(
  (set) => goldenJson<{ readonly txt2img: readonly Run[] }>(`refs/manifest-${set}.json`).txt2img,
);

test('the golden data covers both model kinds, every sampler, with guidance and without', (t) => {
  t.deepEqual(
    runs.map(({ model, name }) => `${model}/${name}`),
    [
      'tiny-sd15/ddim20-cfg5',
      'tiny-sd15/ddim12-cfg1',
      'tiny-sd15/euler15-cfg5-neg',
      'tiny-sd15/dpmpp2m12-cfg5',
      'tiny-sd15/dpmpp2mkarras15-cfg5-nonsquare',
      'tiny-sd15/eulera10-cfg5',
      'tiny-sd15/pndm12-cfg5',
      'tiny-sd15/ddim10-vpred-trailing',
      'tiny-sd15/ddim10-batch2',
      'tiny-sdxl/euler15-cfg5',
      'tiny-sdxl/ddim10-cfg5-neg',
      'tiny-sdxl/ddim20-cfg1',
      'tiny-sdxl/dpmpp2m15-cfg5',
      'tiny-sdxl/dpmpp2mkarras12-cfg5',
      'tiny-sdxl/eulera10-cfg5',
      'tiny-sdxl/euler8-nonsquare-crops',
    ],
  );
});

for (const run of runs) {
  test(`${run.model}/${run.name} paints as diffusers does`, async (t) => {
    const root = modelCopy(goldenPath(`models/${run.model}`), {
      'scheduler/scheduler_config.json': run.scheduler,
    });
    await using model = Model.open(root);
    const tensors = readSafetensors(goldenPath(run.file));
    const images = bytes(tensors);

    // A batch of diffusers is as many pictures of ours.
    const [batch] = run.latents_shape;
    const of = (texts: Run['negative_prompt'], entry: number): string | undefined =>
      (typeof texts === 'string' ? texts : texts?.[entry]) ?? undefined;
    const entryOf = (name: string, entry: number): Float32Array =>
      takeBatch(tensor(run.latents_shape, floats(tensors, name)), entry, entry + 1).data;

    const noiseAt = (step: number, entry: number): Tensor =>
      tensor([1, ...run.latents_shape.slice(1)], entryOf(`noise.${step}`, entry));

    for (let entry = 0; entry < batch!; entry++) {
      const negativePrompt = of(run.negative_prompt, entry);
      const { original_size, crops_coords_top_left, target_size } = run.extra;
      const framing = {
        ...wholePicture(run.height, run.width),
        ...(original_size ? { originalSize: original_size } : {}),
        ...(crops_coords_top_left ? { cropTopLeft: crops_coords_top_left } : {}),
        ...(target_size ? { targetSize: target_size } : {}),
      };
      const result = await generateSingle(
        model,
        {
          prompt: of(run.prompt, entry)!,
          ...(negativePrompt === undefined ? {} : { negativePrompt }),
          width: run.width,
          height: run.height,
          steps: run.num_inference_steps,
          guidanceScale: run.guidance_scale,
        },
        {
          latents: tensor([1, ...run.latents_shape.slice(1)], entryOf('latents', entry)),
          framing,
          ...('noise.0' in tensors ? { noiseOf: (step) => noiseAt(step, entry) } : {}),
          onStep: ({ done, latents }) => {
            const name = `latents_after_step.${done - 1}`;
            if (!(name in tensors)) return;
            const difference = maxAbsDifference(latents.data, entryOf(name, entry));
            t.true(difference <= run.tol_max_abs_latents, `step ${done - 1}: ${difference}`);
          },
        },
      );

      const difference = maxAbsDifference(result.latents.data, entryOf('final_latents', entry));
      t.true(difference <= run.tol_max_abs_latents, `latents differ by ${difference}`);
      t.log(`latents differ by ${difference.toExponential(1)}`);
      const pixels = 3 * run.width * run.height;
      const planar = images.subarray(entry * pixels, (entry + 1) * pixels);
      t.true(maxAbsDifference(result.image.data, interleaved(planar)) <= run.tol_u8_image);
    }
  });
}

for (const run of runs.filter(({ latents_shape }) => latents_shape[0] === 1)) {
  test(`${run.model}/${run.name} encodes its prompts as diffusers does`, async (t) => {
    await using model = Model.open(goldenPath(`models/${run.model}`));
    const tensors = readSafetensors(goldenPath(run.file));
    const guided = run.guidance_scale > 1;
    const { conditioning } = await encodePrompt(model, {
      prompt: String(run.prompt),
      ...(run.negative_prompt === null ? {} : { negativePrompt: String(run.negative_prompt) }),
      guided,
      framing: wholePicture(run.height, run.width),
    });
    const wanted = (name: string): Float32Array => {
      const positive = floats(tensors, name);
      return guided
        ? Float32Array.from([...floats(tensors, `negative_${name}`), ...positive])
        : positive;
    };
    t.true(maxAbsDifference(conditioning.hidden.data, wanted('prompt_embeds')) < 1e-4);
    if (run.model === 'tiny-sdxl') {
      t.true(maxAbsDifference(conditioning.pooled!.data, wanted('pooled_prompt_embeds')) < 1e-4);
    } else {
      t.is(conditioning.pooled, undefined);
    }
  });
}

/** [N, 3, H, W]; most runs keep their images as bytes, a few as floats in 0..1. */
function bytes(tensors: ReturnType<typeof readSafetensors>): Uint8Array {
  const image = tensors['image_u8'];
  if (image?.dtype === 'uint8') return image.data;
  return Uint8Array.from(floats(tensors, 'image'), (x) => Math.round(x * 255));
}

/** [3, H, W] to [H, W, 3]. */
function interleaved(planar: Uint8Array): Uint8Array {
  const plane = planar.length / 3;
  return planar.map((_, k) => planar[(k % 3) * plane + Math.floor(k / 3)]!);
}
