/** One service, several programs: real processes, the model that ships. */

import { readFileSync } from 'node:fs';
import test from 'ava';
import {
  findService,
  type GenerationRequest,
  type GenerationResult,
  type GenerationService,
  openPipeline,
  openService,
} from '../../../pcpp/index.js';
import { type ActorHandle, connect, startCluster } from '../../../runtime/index.js';
import { descendantsOf } from '../../helpers/descendants.js';
import { scenesPath } from '../../helpers/golden.js';
import { until } from '../../helpers/until.js';

const request: GenerationRequest = {
  prompt: 'mountains, the ocean, sunrise, clouds',
  width: 64,
  height: 128,
  steps: 4,
  seed: 5,
  warmupSteps: 1,
};

/** Whether this process has ONNX Runtime in it. */
const hasModel = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/maps`, 'utf8').includes('onnxruntime_binding');

async function made(
  service: ActorHandle<GenerationService>,
  more: Partial<GenerationRequest> = {},
  priority = 0,
): Promise<{ readonly kinds: readonly string[]; readonly result: GenerationResult }> {
  const kinds: string[] = [];
  for await (const progress of service.stream.generate({ ...request, ...more }, { priority })) {
    kinds.push(progress.kind);
    if (progress.kind === 'result') return { kinds, result: progress.result };
  }
  throw new Error('there was no result');
}

test.serial(
  'programs share a model, in turn and by priority, and get what they would alone',
  async (t) => {
    await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
    const { address, token } = local;
    const expected = await (async () => {
      await using pipeline = await openPipeline(local.cluster, { model: scenesPath });
      return await pipeline.generate(request).result;
    })();
    const service = await openService(local.cluster, { model: scenesPath });
    t.like(await service.status(), { model: scenesPath, devices: 2, isBusy: false, done: 0 });
    await using other = await connect({ address, token });
    const theirs = await findService(other);
    const order: string[] = [];
    const job = async (name: string, handle: typeof service, seed: number, priority = 0) => {
      const { kinds, result } = await made(handle, { seed, previewEvery: 2 }, priority);
      order.push(name);
      return { kinds, result };
    };
    const first = job('first', service, 5);
    await until('it is at work', async () => (await service.status()).isBusy);
    const late = job('late', service, 6);
    await until('it waits', async () => (await service.status()).waiting === 1);
    const urgent = job('urgent', theirs, 7, 1);
    const [made1, made2, made3] = await Promise.all([first, late, urgent]);
    t.deepEqual(order, ['first', 'urgent', 'late']);
    t.deepEqual(made1.kinds, [
      'prompt',
      'plan',
      'step',
      'step',
      'preview',
      'step',
      'step',
      'preview',
      'decode',
      'result',
    ]);
    t.is(made2.kinds[0], 'queued');
    t.is(made3.kinds[0], 'queued');
    t.deepEqual(made1.result.png, expected.png);
    t.is(made3.result.settings.seed, 7);
    t.like(await theirs.status(), { isBusy: false, waiting: 0, done: 3, failed: 0 });
    await t.throwsAsync(openService(local.cluster, { model: scenesPath }), {
      code: 'E_NAME_TAKEN',
    });
    await t.throwsAsync(findService(other, 'nothing'), { code: 'E_NAME_UNKNOWN' });
  },
);

test.serial(
  'jobs that are given up, wrong or unlucky leave the service to the others',
  async (t) => {
    await using local = await startCluster({ workers: 2, resources: { cpu: 1 }, prewarm: 0 });
    const service = await openService(local.cluster, { model: scenesPath, name: 'mine' });
    await t.throwsAsync(made(service, { steps: 0 }), { code: 'E_OPTION' });
    await t.throwsAsync(made(service, { width: 70 }), { code: 'E_SIZE' });
    await t.throwsAsync(made(service, {}, Number.NaN), { code: 'E_OPTION', message: /priority/ });

    // Who stops to listen gives up, and so does who aborts while waiting.
    const listening = service.stream.generate({ ...request, steps: 900 });
    for await (const progress of listening) if (progress.kind === 'step') break;
    const stop = new AbortController();
    const long = service.with({ signal: stop.signal }).stream.generate({ ...request, steps: 900 });
    const failing = t.throwsAsync(
      async () => {
        for await (const progress of long) if (progress.kind === 'step') stop.abort();
      },
      { code: 'E_ABORTED' },
    );
    const waits = new AbortController();
    await until('it is at work', async () => (await service.status()).isBusy);
    const waiting = made(service.with({ signal: waits.signal }));
    waits.abort();
    await t.throwsAsync(waiting, { code: 'E_ABORTED' });
    await failing;
    t.is((await made(service)).result.steps.length, 4);

    // A device that dies takes its job with it; the next job has new devices.
    const dying = service.stream.generate({ ...request, steps: 900 });
    await t.throwsAsync(
      async () => {
        for await (const progress of dying) {
          if (progress.kind !== 'step' || progress.step !== 2) continue;
          const devices = local.pids.flatMap((pid) => descendantsOf(pid)).filter(hasModel);
          t.is(devices.length, 2);
          process.kill(devices[0]!, 'SIGKILL');
        }
      },
      { code: 'E_ACTOR_DEAD' },
    );
    t.is((await made(service)).result.steps.length, 4);

    await service.kill();
    await until('the devices are gone', async () => {
      const { nodes } = await local.cluster.status();
      return nodes.every(({ free, total }) => free['cpu'] === total['cpu']);
    });
  },
);
