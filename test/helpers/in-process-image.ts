/** A whole image made by all its devices in one process, each with its own memory, passing the bytes they would send. */

import { DenoisePatch } from '../../pcpp/engine/denoise-patch.js';
import type { GenerationRequest } from '../../pcpp/engine/generation-request.js';
import { type GenerationSettings, prepare } from '../../pcpp/engine/generation-settings.js';
import { graphRuns } from '../../pcpp/engine/graph-runs.js';
import { isGuided } from '../../pcpp/engine/guidance.js';
import { PatchDenoiser } from '../../pcpp/engine/patch-denoiser.js';
import { planImage, shapeOf } from '../../pcpp/engine/plan-image.js';
import { samplerOf } from '../../pcpp/engine/sampler-of.js';
import { SingleDevice } from '../../pcpp/engine/single-device.js';
import { decodeLatents, type RgbImage, toRgb } from '../../pcpp/image/decode.js';
import type { Model } from '../../pcpp/model/model.js';
import type { PlanPeriod } from '../../pcpp/partition/border-rules.js';
import { planPatches } from '../../pcpp/partition/plan.js';
import {
  compilePatchGraph,
  type PatchGraph,
  type PatchGraphShape,
} from '../../pcpp/rewrite/compile.js';
import { concatRows, type Tensor } from '../../pcpp/tensor.js';
import { type Conditioning, encodePrompt, wholePicture } from '../../pcpp/text/encode-prompt.js';

export interface InProcessImage {
  readonly settings: GenerationSettings;
  readonly latent: Tensor;
  /** What every step has left. */
  readonly latents: readonly Tensor[];
  /** Bytes that arrived for every step, all devices together. */
  readonly borderBytes: readonly number[];
  /** None in mode `single`. */
  readonly periods: readonly PlanPeriod[];
}

/** Makes images of one model on any number of devices; graphs and sessions stay open in between. */
export class ImageMaker {
  readonly #model: Model;
  readonly #opened = new Map<string, Promise<PatchDenoiser>>();

  constructor(model: Model) {
    this.#model = model;
  }

  async make(request: GenerationRequest, patches: number): Promise<InProcessImage> {
    const settings = prepare(request, this.#model.directory);
    const { shares, periods } = await this.#shares(settings, patches);
    const posted = new Map<string, Uint8Array>();
    const borderBytes: number[] = [];
    const latents: Tensor[] = [];
    const { firstOf } = graphRuns(settings);
    for (let step = 0; step < settings.evaluations; step++) {
      let bytes = 0;
      for (let run = firstOf(step); run < firstOf(step + 1); run++) {
        for (const [to, share] of shares.entries()) {
          const messages = new Map<number, Uint8Array>();
          const age = share.isFresh?.(run) ? 1 : settings.borderAge;
          for (const from of share.senders(run)) {
            messages.set(from, posted.get(`${run - age} ${from} ${to}`)!);
            bytes += messages.get(from)!.byteLength;
          }
          await share.advance(run, messages);
        }
        for (const [from, share] of shares.entries()) {
          for (const to of share.readers(run)) {
            posted.set(`${run} ${from} ${to}`, share.borderFor(to, run));
          }
        }
      }
      borderBytes.push(bytes);
      latents.push(concatRows(shares.map((share) => share.rows)));
    }
    return { settings, latent: latents.at(-1)!, latents, borderBytes, periods };
  }

  /** One device goes on from what a step has left, by the model's own graph; for samplers that remember nothing. */
  async continued(
    request: GenerationRequest,
    latent: Tensor,
    from: number,
    end: number,
  ): Promise<Tensor> {
    const settings = prepare({ ...request, mode: 'single' }, this.#model.directory);
    const session = await this.#model.denoiser();
    const sampler = samplerOf(this.#model.directory, settings);
    const conditioning = await this.#conditioning(settings);
    const device = new SingleDevice(session, sampler, settings, conditioning, { first: latent });
    for (let step = from; step < end; step++) await device.advance(step, new Map());
    return device.rows;
  }

  async decode(latent: Tensor): Promise<RgbImage> {
    const decoder = await this.#model.session('vae_decoder');
    const [image] = toRgb(await decodeLatents(decoder, latent, this.#model.directory.vae));
    return image!;
  }

  async #shares(
    settings: GenerationSettings,
    patches: number,
  ): Promise<{ shares: readonly (DenoisePatch | SingleDevice)[]; periods: readonly PlanPeriod[] }> {
    const conditioning = await this.#conditioning(settings);
    const sampler = samplerOf(this.#model.directory, settings);
    if (settings.mode === 'single') {
      const session = await this.#model.denoiser();
      return { shares: [new SingleDevice(session, sampler, settings, conditioning)], periods: [] };
    }
    const opened = await this.#open(shapeOf(settings));
    const periods = planImage(opened.graph.sites, settings, patches);
    const shares = Array.from({ length: patches }, (_, patch) => {
      const denoiser = opened.replan(periods[0]!.plan, patch);
      return new DenoisePatch(denoiser, periods, sampler, settings, conditioning);
    });
    return { shares, periods };
  }

  async #conditioning(settings: GenerationSettings): Promise<Conditioning> {
    const { prompt, negativePrompt, guidanceScale, height, width } = settings;
    const { conditioning } = await encodePrompt(this.#model, {
      prompt,
      ...(negativePrompt === undefined ? {} : { negativePrompt }),
      guided: isGuided(guidanceScale),
      framing: wholePicture(height, width),
      ...(settings.guidanceInput === undefined ? {} : { guidance: settings.guidanceInput }),
    });
    return conditioning;
  }

  /** One session for each form of the graph. */
  #open(shape: PatchGraphShape): Promise<PatchDenoiser> {
    const key = JSON.stringify({ ...shape, height: 0 });
    const opening = this.#opened.get(key) ?? this.#openGraph(shape);
    this.#opened.set(key, opening);
    return opening;
  }

  async #openGraph(shape: PatchGraphShape): Promise<PatchDenoiser> {
    const graph: PatchGraph = await compilePatchGraph(
      this.#model.directory.graph(this.#model.directory.denoiserPart),
      shape,
    );
    const size = { height: shape.height, width: shape.width, batch: shape.batch };
    const plan = planPatches(graph.sites, { ...size, patches: 1, mode: 'pcpp' });
    return PatchDenoiser.open(graph, plan, 0);
  }
}
