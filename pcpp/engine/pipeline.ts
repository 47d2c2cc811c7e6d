/**
 * Text to image on a cluster. A pipeline holds one device, an actor with the model loaded, on each node or GPU that
 * takes part, and makes one image after another on them.
 */

import { nanoid } from 'nanoid';
import type {
  ActorHandle,
  Cluster,
  ClusterClient,
  PlacementGroup,
  RemoteClass,
} from '../../runtime/index.js';
import { PcppError } from '../errors.js';
import type { ProviderChoice } from '../onnx/provider.js';
import type { Costs } from '../partition/cost.js';
import { AutoMode } from './auto-mode.js';
import type { DenoiseActor, DeviceOptions } from './denoise-actor.js';
import { type DeviceShape, deviceShape } from './device-shape.js';
import { GenerationJob, type GenerationOptions } from './generation-job.js';
import { type GenerationRequest, generationDefaults } from './generation-request.js';
import { Paces } from './paces.js';

export type Device = ActorHandle<DenoiseActor>;

export interface PipelineOptions {
  /** Directory of the model, at the same path on every node. */
  readonly model: string;
  /** Devices to take. @default all GPUs of the cluster, or one share of every node where there are none */
  readonly devices?: number;
  /** What computes on every device. @default 'auto': its GPU if there is one that works, the processor otherwise */
  readonly provider?: ProviderChoice;
  /** Gives up waiting for devices that are in use. */
  readonly signal?: AbortSignal;
}

/**
 * Place the devices; the model is loaded when the first image needs it.
 *
 * @throws RuntimeError `E_NO_ROOM` if the cluster has not that many devices, PcppError `E_OPTION`.
 */
export async function openPipeline(
  cluster: Cluster,
  { devices, ...options }: PipelineOptions,
): Promise<Pipeline> {
  const shape = deviceShape(await cluster.status(), devices, options.provider);
  const lib = await cluster.load<typeof import('./denoise-actor.js')>(
    new URL('./denoise-actor.js', import.meta.url),
  );
  return placePipeline(cluster, lib.DenoiseActor, { ...options, shape });
}

export interface PlacedPipelineOptions extends Omit<PipelineOptions, 'devices'> {
  readonly shape: DeviceShape;
}

/** The same for a program that has the devices' class already. */
export async function placePipeline(
  cluster: ClusterClient,
  deviceClass: RemoteClass<DenoiseActor, [options: DeviceOptions]>,
  { model, provider, shape, signal }: PlacedPipelineOptions,
): Promise<Pipeline> {
  const { need, count, strategy } = shape;
  const device = { model, ...(provider === undefined ? {} : { provider }) };
  const bundles = Array.from({ length: count }, () => need);
  const group = await cluster.group(bundles, { strategy, ...(signal ? { signal } : {}) });
  try {
    const placed = await Promise.all(
      bundles.map((_, index) =>
        deviceClass.create({ args: [device], resources: need, bundle: { group, index } }),
      ),
    );
    return new Pipeline(placed, group);
  } catch (error) {
    await group.remove();
    throw error;
  }
}

/** Disposing of it ends the devices and frees their resources. */
export class Pipeline implements AsyncDisposable {
  readonly #devices: readonly Device[];
  readonly #group: PlacementGroup;
  readonly #auto = new AutoMode();
  readonly #paces = new Paces();
  #last: Promise<unknown> = Promise.resolve();

  /** Use `openPipeline`. */
  constructor(devices: readonly Device[], group: PlacementGroup) {
    this.#devices = devices;
    this.#group = group;
  }

  get devices(): number {
    return this.#devices.length;
  }

  /** Starts when the image before it is done. Iterate the job for its progress, await `job.result` for the image. */
  generate(request: GenerationRequest, options: GenerationOptions = {}): GenerationJob {
    const job = new GenerationJob(
      nanoid(10),
      this.#devices,
      this.#auto,
      this.#paces,
      request,
      options,
      this.#last,
    );
    this.#last = job.result.catch(() => undefined);
    return job;
  }

  /** Several images of one request, one after another, with the seeds that follow its own: each can be made alone again. */
  generateSeries(
    request: GenerationRequest,
    images: number,
    options: GenerationOptions = {},
  ): readonly GenerationJob[] {
    if (!Number.isInteger(images) || images < 1) {
      throw new PcppError('E_OPTION', `images must be a whole number from 1, got ${images}`);
    }
    const first = request.seed ?? generationDefaults.seed;
    return Array.from({ length: images }, (_, index) =>
      this.generate({ ...request, seed: first + index }, options),
    );
  }

  /**
   * What mode `auto` knows of these devices for images of this size: measured between two images, once.
   *
   * @throws PcppError `E_GRAPH` if the model's graph cannot be split, or the error of a device.
   */
  costs(request: GenerationRequest): Promise<Costs> {
    const costs = this.#last.then(() => this.#auto.costs(request, this.#devices));
    this.#last = costs.catch(() => undefined);
    return costs;
  }

  async close(): Promise<void> {
    await this.#group.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
