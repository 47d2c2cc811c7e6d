/** Images for the command line, one after another with the seeds that follow: by devices of its own, or by a service. */

import { resolve } from 'node:path';
import { openConnection, readToken } from '../../runtime/cli/index.js';
import { connect, startCluster } from '../../runtime/index.js';
import type { GenerationResult } from '../engine/generation-job.js';
import { type GenerationRequest, generationDefaults } from '../engine/generation-request.js';
import { openPipeline } from '../engine/pipeline.js';
import type { ProviderChoice } from '../onnx/provider.js';
import { findService } from '../service/open-service.js';
import { PreviewFile } from './preview-file.js';
import { ProgressBar } from './progress-bar.js';

export interface PlaceOptions {
  readonly model: string;
  readonly mode?: string;
  readonly cfgParallel?: true;
  readonly devices?: number;
  readonly provider?: ProviderChoice;
  readonly address?: string;
  readonly tokenFile?: string;
  readonly service?: string;
  readonly priority?: number;
}

/**
 * By devices of this command's own. A picture's preview stays until the next one is asked for.
 *
 * @param outputs Files that the pictures will be written to; previews lie beside them.
 */
export async function* makeHere(
  request: GenerationRequest,
  outputs: readonly string[],
  options: PlaceOptions,
  signal: AbortSignal,
): AsyncGenerator<GenerationResult> {
  await using place = await openCluster(options);
  const devices = options.mode === 'single' ? (options.cfgParallel ? 2 : 1) : options.devices;
  await using pipeline = await openPipeline(place.cluster, {
    model: resolve(options.model),
    signal,
    ...(devices === undefined ? {} : { devices }),
    ...(options.provider === undefined ? {} : { provider: options.provider }),
  });
  const jobs = pipeline.generateSeries(request, outputs.length, { signal });
  // Those that wait fail too when one is aborted, before anybody asks for their results.
  for (const job of jobs) job.result.catch(() => undefined);
  for (const [index, job] of jobs.entries()) {
    using bar = new ProgressBar();
    using preview = new PreviewFile(outputs[index]!);
    for await (const progress of job) {
      bar.show(progress);
      preview.show(progress);
    }
    yield await job.result;
  }
}

/** By a service of the cluster. */
export async function* makeThere(
  request: GenerationRequest,
  outputs: readonly string[],
  { service: name, priority, address, tokenFile }: PlaceOptions & { readonly service: string },
  signal: AbortSignal,
): AsyncGenerator<GenerationResult> {
  await using cluster = await openConnection({
    ...(address === undefined ? {} : { address }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
  });
  const service = (await findService(cluster, name)).with({ signal });
  const first = request.seed ?? generationDefaults.seed;
  for (const [index, output] of outputs.entries()) {
    using bar = new ProgressBar();
    using preview = new PreviewFile(output);
    const wanted = { ...request, seed: first + index };
    const job = priority === undefined ? {} : { priority };
    for await (const progress of service.stream.generate(wanted, job)) {
      if (progress.kind === 'result') {
        bar.end();
        yield progress.result;
      } else if (progress.kind === 'queued') {
        console.log(`waiting for ${progress.ahead} other jobs`);
      } else {
        bar.show(progress);
        preview.show(progress);
      }
    }
  }
}

async function openCluster({ address, tokenFile, devices }: PlaceOptions) {
  const url = address ?? process.env['PATCHBAY_ADDRESS'];
  if (url) {
    const cluster = await connect({ address: url, token: readToken(tokenFile) });
    return { cluster, [Symbol.asyncDispose]: () => cluster.close() };
  }
  return startCluster(devices === undefined ? {} : { workers: Math.max(1, devices) });
}
