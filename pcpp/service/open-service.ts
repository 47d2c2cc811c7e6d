/** Starting a generation service on a cluster, and finding one. */

import type { ActorHandle, Cluster, ClusterClient, CreateOptions } from '../../runtime/index.js';
import { deviceShape } from '../engine/device-shape.js';
import type { ProviderChoice } from '../onnx/provider.js';
import type { GenerationService } from './generation-service.js';

export const defaultServiceName = 'generation';

export interface OpenServiceOptions
  extends Pick<CreateOptions<never>, 'namespace' | 'lifetime' | 'signal'> {
  /** Directory of the model, at the same path on every node. */
  readonly model: string;
  /** @default all GPUs of the cluster, or one share of every node where there are none */
  readonly devices?: number;
  /** What computes on every device. @default 'auto': its GPU if there is one that works, the processor otherwise */
  readonly provider?: ProviderChoice;
  /** Others find the service by it. @default 'generation' */
  readonly name?: string;
}

/**
 * A service with its devices placed. It ends with this program, unless its `lifetime` is `detached`.
 *
 * @throws RuntimeError `E_NAME_TAKEN`, `E_NO_ROOM`, PcppError `E_OPTION`.
 */
export async function openService(
  cluster: Cluster,
  { model, devices, provider, name = defaultServiceName, ...options }: OpenServiceOptions,
): Promise<ActorHandle<GenerationService>> {
  const shape = deviceShape(await cluster.status(), devices, provider);
  const lib = await cluster.load<typeof import('./generation-service.js')>(
    new URL('./generation-service.js', import.meta.url),
  );
  const service = await lib.GenerationService.create({
    ...options,
    args: [{ model, shape, ...(provider === undefined ? {} : { provider }) }],
    name,
    // The devices compute.
    resources: {},
  });
  try {
    await (options.signal ? service.with({ signal: options.signal }) : service).open();
    return service;
  } catch (error) {
    await service.kill();
    throw error;
  }
}

/** @throws RuntimeError `E_NAME_UNKNOWN` if there is none of that name. */
export const findService = (
  cluster: ClusterClient,
  name: string = defaultServiceName,
): Promise<ActorHandle<GenerationService>> => cluster.actor<GenerationService>(name);
