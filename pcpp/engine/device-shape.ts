/** What one device takes of a cluster, and how many there are. */

import type { ClusterStatus, Resources } from '../../runtime/index.js';
import { PcppError } from '../errors.js';
import type { ProviderChoice } from '../onnx/provider.js';

export interface DeviceShape {
  readonly need: Resources;
  readonly count: number;
  readonly strategy: 'spread' | 'strict-spread';
}

/**
 * One GPU each where there are any; otherwise one device on each node, with as many processors as the smallest has.
 *
 * @param devices How many are wanted. @default all of the cluster
 * @param provider With `cpu` no GPU is taken.
 * @throws PcppError `E_OPTION` if that is no number of devices.
 */
export function deviceShape(
  { nodes }: ClusterStatus,
  devices?: number,
  provider: ProviderChoice = 'auto',
): DeviceShape {
  if (devices !== undefined && !(Number.isInteger(devices) && devices >= 1)) {
    throw new PcppError('E_OPTION', `devices must be a whole number from 1, got ${devices}`);
  }
  const all = nodes.reduce((sum, { total }) => sum + (total['gpu'] ?? 0), 0);
  const gpus = provider === 'cpu' ? 0 : all;
  if (gpus > 0) return { need: { gpu: 1 }, count: devices ?? gpus, strategy: 'spread' };
  const cpu = Math.max(1, Math.min(...nodes.map(({ total }) => Math.floor(total['cpu'] ?? 0))));
  const count = devices ?? Math.max(1, nodes.length);
  return { need: { cpu }, count, strategy: 'strict-spread' };
}
