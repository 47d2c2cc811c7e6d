import { fileURLToPath } from 'node:url';
import test from 'ava';
import {
  type GenerationRequest,
  type GenerationResult,
  openPipeline,
  type Pipeline,
  type StepProgress,
} from '../../../pcpp/index.js';
import { wires } from '../../../pcpp/partition/wire.js';
import { startCluster } from '../../../runtime/index.js';
import { commandOf, descendantsOf } from '../../helpers/descendants.js';
import { goldenPath } from '../../helpers/golden.js';
import { likeness, makeShown } from '../../helpers/previews.js';
import { until } from '../../helpers/until.js';

const scenes = fileURLToPath(new URL('../../../../examples/models/scenes', import.meta.url));
const request: GenerationRequest = {
  prompt: 'mountains, the ocean, sunrise, clouds',
  width: 128,
  height: 192,
  steps: 8,
  seed: 5,
  warmupSteps: 2,
  cooldownSteps: 1,
};

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), 0);

/** Bytes of the last two steps: one on the whole image, and the very last. */
const mended = ({ cooldown }: GenerationResult): readonly number[] => [
  cooldown!.gathered.total,
  cooldown!.last.total,
];

const make = (pipeline: Pipeline, more: Partial<GenerationRequest>): Promise<GenerationResult> =>
  pipeline.generate({ ...request, ...more }).result;

test.serial(
  'the same seed gives the same bytes, and borders are as many and as old as planned',
  async (t) => {
    await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
    await using pipeline = await openPipeline(local.cluster, { model: scenes });
    t.is(pipeline.devices, 2);
    for (const mode of ['pcpp', 'distrifusion'] as const) {
      const first = await make(pipeline, { mode });
      const again = await makeShown(pipeline, { ...request, mode, previewEvery: 3 });
      t.deepEqual(first.png, again.result.png);
      t.deepEqual(
        again.result.steps.map(({ borderBytes }) => borderBytes),
        first.steps.map(({ borderBytes }) => borderBytes),
      );
      // The last step is shown too, because decoding may take long.
      t.deepEqual(
        again.previews.map(({ step, image }) => [step, image.width, image.height]),
        [2, 5, 7].map((step) => [step, 16, 24]),
      );
      const [early, middle, last] = likeness(again) as [number, number, number];
      t.true(early < middle && middle < last && last > 30, `${mode} ${[early, middle, last]}`);
      t.deepEqual(first.bounds, [0, 16, 24]);
      const { forecast } = first;
      const { total } = forecast!;
      // Steps 0 and 1 compute the whole image, and step 2 finds everyone's borders in that; step 7 gathers all rows.
      t.deepEqual(
        first.steps.map(({ borderBytes }) => borderBytes),
        [0, 0, 0, total, total, total, ...mended(first)],
        mode,
      );
      t.deepEqual(
        first.steps.map(({ borderAge }) => borderAge),
        [undefined, undefined, undefined, 1, 1, 1, 0, 0],
      );
    }
  },
);

test.serial('bytes arrive as planned in every step, for every wire, cut and payload', async (t) => {
  await using local = await startCluster({ workers: 3, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  for (const borderPayload of ['hidden', 'kv'] as const) {
    for (const wire of wires) {
      const borderCut = wire === 'int8' ? 'tokens' : 'rows';
      const made = await make(pipeline, { wire, borderPayload, borderCut });
      const { first, total } = made.forecast!;
      t.deepEqual(
        made.steps.map(({ borderBytes }) => borderBytes),
        [0, 0, 0, first.total, total, total, ...mended(made)],
        wire,
      );
      t.is(wire.startsWith('residual'), first.total > total);
    }
  }
  // The first run of a step reads what the last one of the step before has told, a second one what the first has.
  const twice = { warmup: 'patch', warmupSteps: 4, wire: 'residual-int8' } as const;
  const made = await make(pipeline, twice);
  const { first, total } = made.forecast!;
  t.deepEqual(
    made.steps.map(({ borderBytes }) => borderBytes),
    [0, first.total, 2 * total, 2 * total, total, total, ...mended(made)],
  );
  t.deepEqual(
    made.steps.map(({ borderAge }) => borderAge),
    [undefined, 0, 0, 0, 1, 1, 0, 0],
  );
  t.deepEqual((await make(pipeline, twice)).png, made.png);
});

test.serial(
  'at age 2 borders are read two steps later, and the same seed gives the same bytes',
  async (t) => {
    await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
    await using pipeline = await openPipeline(local.cluster, { model: scenes });
    for (const wire of ['fp16', 'residual-int8'] as const) {
      const made = await make(pipeline, { borderAge: 2, wire });
      const { first, total } = made.forecast!;
      const bytes = made.steps.map(({ borderBytes }) => borderBytes);
      t.deepEqual(bytes, [0, 0, 0, 0, first.total, total, ...mended(made)]);
      const ages = made.steps.map(({ borderAge }) => borderAge);
      t.deepEqual(ages, [...Array(4).fill(undefined), 2, 2, 0, 0]);
      t.deepEqual((await make(pipeline, { borderAge: 2, wire })).png, made.png);
    }
  },
);

test.serial('a fresh cluster makes the same picture', async (t) => {
  const pngs: Uint8Array[] = [];
  for (let round = 0; round < 2; round++) {
    await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
    await using pipeline = await openPipeline(local.cluster, { model: scenes });
    pngs.push((await make(pipeline, {})).png);
  }
  t.deepEqual(pngs[0], pngs[1]);
});

test.serial('sync is the picture of one device; pcpp reads less than distrifusion', async (t) => {
  await using local = await startCluster({ workers: 3, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  const alone = await make(pipeline, { mode: 'single' });
  const sync = await make(pipeline, { mode: 'sync' });
  t.deepEqual(alone.bounds, [0, 24]);
  t.deepEqual(sync.bounds, [0, 8, 16, 24]);
  t.true(largestDifference(alone.latent.data, sync.latent.data) < 1e-4);
  // Each device computes its own rows, and hears of the others within the step.
  const { first: begun, total } = sync.forecast!;
  t.true(begun.total < total);
  t.deepEqual(
    sync.steps.map(({ borderBytes }) => borderBytes),
    [begun.total, ...Array<number>(7).fill(total)],
  );
  t.deepEqual([...new Set(sync.steps.map(({ borderAge }) => borderAge))], [0]);
  const hidden = await make(pipeline, { mode: 'sync', borderPayload: 'hidden' });
  t.true(largestDifference(alone.latent.data, hidden.latent.data) < 1e-4);
  t.true(hidden.forecast!.total < total);
  const pcpp = await make(pipeline, { mode: 'pcpp', borderFraction: 0.1 });
  const distrifusion = await make(pipeline, { mode: 'distrifusion' });
  t.true(pcpp.forecast!.total < distrifusion.forecast!.total);
  t.is(pcpp.forecast!.distrifusion.total, distrifusion.forecast!.total);
  t.true(largestDifference(alone.latent.data, distrifusion.latent.data) > 1e-3);
});

test.serial('progress can be iterated from the start, by several readers', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  const job = pipeline.generate({ ...request, prompt: 'a lake of gobbledygook' });
  const read = async (): Promise<readonly string[]> => {
    const kinds: string[] = [];
    for await (const progress of job) {
      kinds.push(progress.kind);
      if (progress.kind === 'prompt') t.deepEqual(progress.unknownWords, ['gobbledygook']);
    }
    return kinds;
  };
  const [kinds] = await Promise.all([read(), read()]);
  t.deepEqual(kinds, ['prompt', 'plan', ...Array(8).fill('step'), 'decode']);
  t.deepEqual(await read(), kinds!);
});

test.serial('an aborted job ends between steps, and the devices take the next', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  const abort = new AbortController();
  const job = pipeline.generate({ ...request, steps: 500 }, { signal: abort.signal });
  const seen: StepProgress[] = [];
  await t.throwsAsync(
    async () => {
      for await (const progress of job) {
        if (progress.kind === 'step') seen.push(progress);
        if (seen.length === 4) abort.abort();
      }
    },
    { code: 'E_ABORTED' },
  );
  t.true(seen.length < 100);
  await t.throwsAsync(job.result, { code: 'E_ABORTED' });
  const next = await make(pipeline, {});
  t.is(next.steps.length, 8);
});

test.serial(
  'a device that dies in the middle ends the job with its cause, and nothing stays',
  async (t) => {
    await using local = await startCluster({ workers: 2, resources: { cpu: 1 }, prewarm: 0 });
    {
      await using pipeline = await openPipeline(local.cluster, { model: scenes });
      const job = pipeline.generate({ ...request, steps: 500 });
      const host = local.pids
        .flatMap((pid) => descendantsOf(pid))
        .find((pid) => commandOf(pid).includes('host-main'))!;
      await t.throwsAsync(
        async () => {
          for await (const progress of job) {
            if (progress.kind === 'step' && progress.step === 6) process.kill(host, 'SIGKILL');
          }
        },
        { code: 'E_ACTOR_DEAD', message: /DenoiseActor on node node-\d died of SIGKILL/ },
      );
    }
    const { nodes, actors } = await local.cluster.status();
    t.true(actors.every(({ phase }) => phase === 'dead'));
    for (const node of nodes) t.deepEqual(node.free, node.total);
  },
);

test.serial('a client that leaves takes its devices with it', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 }, prewarm: 0 });
  const { connect } = await import('../../../runtime/index.js');
  const other = await connect({ address: local.address, token: local.token });
  const pipeline = await openPipeline(other, { model: scenes });
  const job = pipeline.generate({ ...request, steps: 500 });
  await t.throwsAsync(async () => {
    for await (const progress of job) if (progress.kind === 'step') await other.close();
  });
  await until('the devices are gone', async () => {
    const { nodes, actors } = await local.cluster.status();
    const isFree = nodes.every(({ free, total }) => free['cpu'] === total['cpu']);
    return isFree && actors.every(({ phase }) => phase === 'dead');
  });
  const hosts = local.pids.flatMap((pid) => descendantsOf(pid));
  await until('their processes are gone', () =>
    hosts.every((pid) => !commandOf(pid).includes('host-main')),
  );
  t.pass();
});

test.serial('what cannot work is refused with its code, and the devices stay usable', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  const refused = (code: string, message: RegExp, more: Partial<GenerationRequest>) =>
    t.throwsAsync(make(pipeline, more), { code, message });
  await refused('E_SIZE', /nearest: 128x192/, { width: 130 });
  await refused('E_OPTION', /borderFraction must be a number in 0\.\.1, got 1\.5/, {
    borderFraction: 1.5,
  });
  await refused('E_OPTION', /steps/, { steps: 0 });
  await refused('E_PARTITION', /at most 1/, { width: 64, height: 64 });
  await refused('E_NO_ROOM', /wants 3 devices, the pipeline has 2/, { devices: 3 });
  await t.throwsAsync(openPipeline(local.cluster, { model: scenes, devices: 3 }), {
    code: 'E_NO_ROOM',
    message: /3 bundles/,
  });
  t.is((await make(pipeline, { steps: 2, warmupSteps: 1 })).steps.length, 2);
});

test.serial('a model that is not there, or not whole, is named', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 1 } });
  await using nowhere = await openPipeline(local.cluster, { model: '/no/such/model' });
  await t.throwsAsync(nowhere.generate(request).result, {
    code: 'E_MODEL_DIR',
    message: /\/no\/such\/model/,
  });
});

test.serial('a sampler that draws noise draws the same on any number of devices', async (t) => {
  const model = goldenPath('models/tiny-sd15');
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model });
  for (const sampler of ['euler-ancestral', 'pndm', 'dpm-solver++'] as const) {
    const more = { sampler, width: 128, height: 128, steps: 5 };
    const alone = await make(pipeline, { ...more, mode: 'single' });
    const sync = await make(pipeline, { ...more, mode: 'sync' });
    const scale = Math.max(...alone.latent.data.map(Math.abs));
    t.true(largestDifference(alone.latent.data, sync.latent.data) < 1e-4 * scale, sampler);
    const pcpp = await make(pipeline, { ...more, mode: 'pcpp', warmupSteps: 1 });
    t.is(pcpp.steps.length, sampler === 'pndm' ? 6 : 5);
    const bytes = pcpp.steps.map(({ borderBytes }) => borderBytes);
    t.deepEqual(bytes.slice(-2), mended(pcpp));
  }
});
