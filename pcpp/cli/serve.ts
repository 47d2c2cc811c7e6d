/** `patchbay serve`: a model on devices of a cluster, for whoever asks, until it is told to stop. */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type ConnectionOptions, openConnection, withConnection } from '../../runtime/cli/index.js';
import { RuntimeError } from '../../runtime/index.js';
import type { ProviderChoice } from '../onnx/provider.js';
import { defaultServiceName, openService } from '../service/open-service.js';
import { integer, providerOption } from './arguments.js';
import { defaultModel } from './default-model.js';

interface ServeOptions extends ConnectionOptions {
  readonly model: string;
  readonly devices?: number;
  readonly name: string;
  readonly detached?: true;
  readonly provider?: ProviderChoice;
}

export function addServe(program: Command): void {
  const serve = program
    .command('serve')
    .description('keep a model loaded on a cluster, for `patchbay generate --service`')
    .option('--model <dir>', 'model directory, at the same path on every node', defaultModel())
    .option('--devices <number>', 'devices to use (default: all)', integer)
    .addOption(providerOption())
    .option('--name <name>', 'others find the service by it', defaultServiceName)
    .option('--detached', 'return, and leave the service to the cluster');
  withConnection(serve).action(run);
}

async function run(options: ServeOptions): Promise<void> {
  const { model, devices, provider, name, detached, ...connection } = options;
  await using cluster = await openConnection(connection);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    const service = await openService(cluster, {
      model: resolve(model),
      name,
      signal: stop.signal,
      ...(devices === undefined ? {} : { devices }),
      ...(provider === undefined ? {} : { provider }),
      ...(detached ? { lifetime: 'detached' } : {}),
    });
    const status = await service.status();
    console.log(`Service ${name}: ${status.model} on ${status.devices} devices`);
    if (detached) return;
    console.log(`  patchbay generate "a prompt" --service ${name}    Ctrl-C ends it`);
    const end = await cluster.untilDead(service, stop.signal);
    throw new RuntimeError('E_ACTOR_DEAD', end.message);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
