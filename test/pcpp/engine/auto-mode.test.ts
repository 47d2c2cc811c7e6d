import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type GenerationRequest, openPipeline } from '../../../pcpp/index.js';
import { startCluster } from '../../../runtime/index.js';

const scenes = fileURLToPath(new URL('../../../../examples/models/scenes', import.meta.url));
const request: GenerationRequest = {
  prompt: 'mountains, the ocean, sunrise, clouds',
  width: 128,
  height: 192,
  steps: 6,
  seed: 5,
};

test.serial('auto chooses, says why, and makes the picture of what it chose', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  const job = pipeline.generate({ ...request, mode: 'auto' });
  const whys: string[] = [];
  for await (const progress of job) {
    if (progress.kind === 'choice') whys.push(progress.choice.why);
  }
  const made = await job.result;
  const { request: chosen, why, choice } = made.choice!;
  t.deepEqual(whys, [why]);
  t.regex(
    why,
    /^(one device is (as fast|faster)|guidance on two devices|pcpp on 2 devices, .*): \d+\.\d\d s forecast; /,
  );
  t.is(choice!.others.length, 1);
  t.is(made.settings.mode, choice!.way.mode);
  t.deepEqual((await pipeline.generate(chosen).result).png, made.png);

  // The other way round, so that both kinds of choice are proved to leave devices as they were.
  const [other] = choice!.others;
  const before = (await pipeline.generate({ ...request, ...other!.way }).result).png;
  const costs = await pipeline.costs(request);
  t.deepEqual((await pipeline.generate({ ...request, ...other!.way }).result).png, before);
  t.is(costs.devices.length, 2);
  t.true(costs.half!.share > 0 && costs.half!.exchange >= 0);
  t.truthy(costs.decode.strips, 'the decoder that ships is run by every device');
  for (const seconds of [costs.single, costs.encode, costs.decode.whole, costs.link.latency]) {
    t.true(seconds > 0);
  }
  t.true(costs.link.bytesPerSecond > 0 && Number.isFinite(costs.link.bytesPerSecond));
  // Known by now: measuring again would not give the same to the last digit.
  t.deepEqual(await pipeline.costs({ ...request, seed: 6 }), costs);
});

test.serial('with nothing to choose nothing is measured, and auto says so', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  const auto = (more: Partial<GenerationRequest>) =>
    pipeline.generate({ ...request, ...more, mode: 'auto' }).result;
  const alone = await auto({ devices: 1 });
  t.is(alone.choice!.why, 'one device: there is no other');
  const flat = await auto({ width: 64, height: 64 });
  t.is(flat.choice!.why, 'one device: 8 latent rows cannot be shared');
  t.is(flat.settings.mode, 'single');
  t.is(flat.choice!.choice, undefined);
});

test.serial('a wrong number of devices is refused before anything is measured', async (t) => {
  await using local = await startCluster({ workers: 1, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  for (const devices of [0, -1, 2.5, Number.NaN]) {
    const { result } = pipeline.generate({ ...request, mode: 'auto', devices });
    await t.throwsAsync(result, { code: 'E_OPTION', message: /devices must be an integer/ });
  }
});

test.serial('an abort before the choice ends the job, and the next one measures', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  const stop = new AbortController();
  const job = pipeline.generate({ ...request, mode: 'auto' }, { signal: stop.signal });
  setImmediate(() => stop.abort());
  await t.throwsAsync(job.result, { code: 'E_ABORTED' });
  const made = await pipeline.generate({ ...request, mode: 'auto' }).result;
  t.truthy(made.choice!.choice);
});

test.serial('devices that end before their costs are known fail whoever asked', async (t) => {
  await using local = await startCluster({ workers: 2, resources: { cpu: 1 } });
  await using pipeline = await openPipeline(local.cluster, { model: scenes });
  const costs = pipeline.costs({ ...request, height: 512, width: 512 });
  await pipeline.close();
  await t.throwsAsync(costs, { code: 'E_ACTOR_DEAD' });
});
