/** A model on one device, in every form that a job may need of it; what was made once stays, as long as it fits. */

import { type LatentSize, type SplitDecoder, splitDecoder } from '../image/decoder-reach.js';
import { fitColors, type LatentColors } from '../image/latent-colors.js';
import type { ModelDirectory } from '../model/directory.js';
import { Model } from '../model/model.js';
import { firstWorking, type Provider, type ProviderFound } from '../onnx/provider.js';
import type { SessionOptions } from '../onnx/session.js';
import type { PatchPlan } from '../partition/plan.js';
import { type PatchGraph, type PatchGraphShape, servesShape } from '../rewrite/compile.js';
import { openPatchGraph } from '../rewrite/graph-cache.js';
import { compileStagedGraph, type StagedGraph } from '../rewrite/staged.js';
import { PatchDenoiser } from './patch-denoiser.js';
import { StagedPatch } from './staged-patch.js';
import { StagedSessions } from './staged-sessions.js';

/** What was compiled last, for its shape. */
interface Compiled<Graph> {
  readonly shape: PatchGraphShape;
  readonly graph: Graph;
}

export class DeviceModel implements AsyncDisposable {
  /** Directory of the model. */
  readonly root: string;
  readonly #threads: number;
  readonly #candidates: readonly Provider[];
  #found: Promise<ProviderFound> | undefined;
  #model: Model | undefined;
  #universal: Compiled<PatchGraph> | undefined;
  #staged: Compiled<StagedGraph> | undefined;
  #colors: Promise<LatentColors> | undefined;
  #decoder: (SplitDecoder & { readonly width: number }) | undefined;
  /** Sessions cost as much memory as the weights: one of these two is open. */
  #denoiser: PatchDenoiser | undefined;
  #denoiserStages: StagedSessions | undefined;
  #decoderStages: StagedSessions | undefined;

  /**
   * @param root Directory of the model.
   * @param threads Threads one run may use.
   * @param candidates Execution providers, best first: the first that works is taken.
   */
  constructor(root: string, threads: number, candidates: readonly Provider[] = ['cpu']) {
    this.root = root;
    this.#threads = threads;
    this.#candidates = candidates;
  }

  /** What computes here. @throws PcppError `E_SESSION` if none of the candidates works. */
  provider(): Promise<ProviderFound> {
    this.#found ??= firstWorking(this.#candidates);
    return this.#found;
  }

  /** For every session. @throws PcppError `E_SESSION`, as `provider`. */
  async sessionOptions(): Promise<SessionOptions> {
    return { threads: this.#threads, provider: (await this.provider()).provider };
  }

  /** @throws PcppError `E_MODEL_DIR`, `E_MODEL_CONFIG`. */
  get model(): Model {
    this.#model ??= Model.open(this.root, () => this.sessionOptions());
    return this.#model;
  }

  get directory(): ModelDirectory {
    return this.model.directory;
  }

  get #denoiserFile(): string {
    return this.directory.graph(this.directory.denoiserPart);
  }

  /** @throws PcppError as `compilePatchGraph`. */
  async patchGraph(shape: PatchGraphShape): Promise<PatchGraph> {
    const known = this.#universal;
    if (known && servesShape(known.shape, shape)) return known.graph;
    const graph = await openPatchGraph(this.#denoiserFile, shape);
    this.#universal = { shape, graph };
    return graph;
  }

  /** @throws PcppError as `compilePatchGraph`. */
  async stagedGraph(shape: PatchGraphShape): Promise<StagedGraph> {
    const known = this.#staged;
    if (known && servesShape(known.shape, shape)) return known.graph;
    const graph = await compileStagedGraph(this.#denoiserFile, shape);
    this.#staged = { shape, graph };
    return graph;
  }

  /** What previews are made with. @throws PcppError as `fitColors`, and `E_MODEL_DIR` if there is no decoder. */
  colors(): Promise<LatentColors> {
    this.#colors ??= this.#fitColors();
    // A file that was missing may be there at the next try.
    this.#colors.catch(() => {
      this.#colors = undefined;
    });
    return this.#colors;
  }

  async #fitColors(): Promise<LatentColors> {
    const { denoiser, vae } = this.directory;
    return fitColors(await this.model.session('vae_decoder'), denoiser.latentChannels, vae);
  }

  /** @throws PcppError `E_MODEL_DIR` if the decoder cannot be read. */
  async decoder(size: LatentSize): Promise<SplitDecoder> {
    const { width } = size;
    if (this.#decoder?.width !== width) {
      const split = await splitDecoder(this.directory.graph('vae_decoder'), size);
      this.#decoder = { ...split, width };
    }
    return this.#decoder;
  }

  /** @param plan Made from this shape's patch graph. @throws PcppError `E_PARTITION`, `E_SESSION`. */
  async denoiser(shape: PatchGraphShape, plan: PatchPlan, patch: number): Promise<PatchDenoiser> {
    const graph = await this.patchGraph(shape);
    if (this.#denoiser?.graph === graph) {
      this.#denoiser = this.#denoiser.replan(plan, patch);
    } else {
      await this.#closeDenoisers();
      this.#denoiser = await PatchDenoiser.open(graph, plan, patch, await this.sessionOptions());
    }
    return this.#denoiser;
  }

  /** For mode `sync`. @param plan Made from this shape's staged graph. @throws PcppError `E_PARTITION`, `E_SESSION`. */
  async stagedDenoiser(
    shape: PatchGraphShape,
    plan: PatchPlan,
    patch: number,
  ): Promise<StagedPatch> {
    const graph = await this.stagedGraph(shape);
    if (this.#denoiserStages?.graph !== graph) {
      await this.#closeDenoisers();
      this.#denoiserStages = await StagedSessions.open(graph, await this.sessionOptions());
    }
    return new StagedPatch(this.#denoiserStages, plan, patch);
  }

  /** @param plan Made from this graph. @throws PcppError `E_PARTITION`, `E_SESSION`. */
  async stagedDecoder(graph: StagedGraph, plan: PatchPlan, patch: number): Promise<StagedPatch> {
    if (this.#decoderStages?.graph !== graph) {
      await this.#decoderStages?.[Symbol.asyncDispose]();
      this.#decoderStages = undefined;
      this.#decoderStages = await StagedSessions.open(graph, await this.sessionOptions());
    }
    return new StagedPatch(this.#decoderStages, plan, patch);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeDenoisers();
    await this.#decoderStages?.[Symbol.asyncDispose]();
    await this.#model?.[Symbol.asyncDispose]();
  }

  async #closeDenoisers(): Promise<void> {
    const open = [this.#denoiser, this.#denoiserStages];
    this.#denoiser = undefined;
    this.#denoiserStages = undefined;
    for (const denoiser of open) await denoiser?.[Symbol.asyncDispose]();
  }
}
