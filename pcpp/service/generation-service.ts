/**
 * A model that stays loaded on its devices, for many programs: an actor that takes requests by priority and makes one image
 * after another. It is found by its name; what it holds ends with it.
 */

import { type ActorOptions, context } from '../../runtime/index.js';
import type { DeviceShape } from '../engine/device-shape.js';
import type { GenerationResult } from '../engine/generation-job.js';
import type { GenerationProgress } from '../engine/generation-progress.js';
import { type GenerationRequest, parseRequest } from '../engine/generation-request.js';
import { type Pipeline, placePipeline } from '../engine/pipeline.js';
import { PcppError } from '../errors.js';
import type { ProviderChoice } from '../onnx/provider.js';
import { JobLine } from './job-line.js';

export { DenoiseActor } from '../engine/denoise-actor.js';

export interface ServiceOptions {
  /** Directory of the model, at the same path on every node. */
  readonly model: string;
  readonly shape: DeviceShape;
  readonly provider?: ProviderChoice;
}

export interface ServiceJob {
  /** Jobs of a higher one are made first. Any number. @default 0 */
  readonly priority?: number;
}

export type ServiceProgress =
  | GenerationProgress
  /** First, if others come before. */
  | { readonly kind: 'queued'; readonly ahead: number }
  /** Last of all. */
  | { readonly kind: 'result'; readonly result: GenerationResult };

export interface ServiceStatus {
  readonly model: string;
  readonly devices: number;
  readonly isBusy: boolean;
  readonly waiting: number;
  /** Images made, and jobs that failed or were aborted, since the service began. */
  readonly done: number;
  readonly failed: number;
}

export class GenerationService {
  // Jobs wait in a line of their own.
  static readonly actor: ActorOptions = { maxConcurrency: 10_000 };
  readonly #options: ServiceOptions;
  readonly #line = new JobLine();
  #pipeline: Promise<Pipeline> | undefined;
  #done = 0;
  #failed = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  /** Take the devices. @throws RuntimeError `E_NO_ROOM` if the cluster has not that many. */
  async open(): Promise<ServiceStatus> {
    await this.#open();
    return this.status();
  }

  status(): ServiceStatus {
    const { model, shape } = this.#options;
    const { isBusy, waiting } = this.#line;
    const counts = { done: this.#done, failed: this.#failed };
    return { model, devices: shape.count, isBusy, waiting, ...counts };
  }

  /**
   * One image; `handle.stream.generate(request)` tells how it goes and ends with the result. A caller that goes away, or stops
   * to listen, gives its job up.
   *
   * @throws PcppError `E_OPTION` at once for what is wrong with the request itself, and otherwise what its job throws.
   */
  async *generate(
    request: GenerationRequest,
    { priority = 0 }: ServiceJob = {},
  ): AsyncGenerator<ServiceProgress> {
    parseRequest(request);
    if (!Number.isFinite(priority)) {
      throw new PcppError('E_OPTION', `priority must be a number, got ${priority}`);
    }
    const stop = new AbortController();
    const signal = AbortSignal.any([context().signal, stop.signal]);
    const ahead = this.#line.ahead(priority);
    const turn = this.#line.turn(priority, signal);
    turn.catch(() => undefined);
    let isMade = false;
    try {
      if (ahead > 0) yield { kind: 'queued', ahead };
      await turn;
      const job = (await this.#open()).generate(request, { signal });
      job.result.catch(() => undefined);
      try {
        yield* job;
        const result = await job.result;
        isMade = true;
        yield { kind: 'result', result };
      } finally {
        stop.abort();
        await job.result.catch((error: unknown) => this.#forget(error));
      }
    } finally {
      stop.abort();
      if (isMade) this.#done++;
      else this.#failed++;
      await turn.then(
        (leave) => leave(),
        () => undefined,
      );
    }
  }

  #open(): Promise<Pipeline> {
    this.#pipeline ??= this.#place();
    // Room may come.
    this.#pipeline.catch(() => {
      this.#pipeline = undefined;
    });
    return this.#pipeline;
  }

  #place(): Promise<Pipeline> {
    const here = context();
    const lib = here.module<typeof import('./generation-service.js')>();
    return placePipeline(here.cluster, lib.DenoiseActor, this.#options);
  }

  /** One dead device is of no use to the others: the next job takes new ones. */
  async #forget(error: unknown): Promise<void> {
    if ((error as { readonly code?: unknown }).code !== 'E_ACTOR_DEAD') return;
    const pipeline = this.#pipeline;
    this.#pipeline = undefined;
    await (await pipeline)?.close();
  }
}
