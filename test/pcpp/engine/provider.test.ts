/** Devices with a GPU that nothing can use: the processor computes, and the status and the log say so. */

import test from 'ava';
import { openPipeline } from '../../../pcpp/index.js';
import { tryProvider } from '../../../pcpp/onnx/provider.js';
import { type LogLine, startCluster } from '../../../runtime/index.js';
import { scenesPath } from '../../helpers/golden.js';
import { until } from '../../helpers/until.js';

const request = { prompt: 'a lake', width: 64, height: 64, steps: 2, mode: 'single' } as const;

test('a GPU that does not work is told of, and the picture is made all the same', async (t) => {
  if ((await tryProvider('webgpu')) === undefined) {
    t.pass('it works here');
    return;
  }
  const lines: string[] = [];
  await using local = await startCluster({
    workers: 1,
    resources: { cpu: 1, gpu: 1 },
    logToDriver: ({ text }: LogLine) => lines.push(text),
  });
  const { cluster } = local;
  const noted = async (): Promise<string | undefined> =>
    (await cluster.status()).actors.find(({ label }) => label.startsWith('DenoiseActor'))?.note;
  {
    await using pipeline = await openPipeline(cluster, { model: scenesPath });
    const { image } = await pipeline.generate(request).result;
    t.is(image.width, 64);
    t.is(await noted(), 'scenes on cpu, cuda, webgpu failed');
    await until('the log tells of both', () =>
      ['cuda', 'webgpu'].every((name) =>
        lines.some((line) => line.startsWith(`${name} does not work here, taking cpu: `)),
      ),
    );
  }
  await using refusing = await openPipeline(cluster, { model: scenesPath, provider: 'webgpu' });
  await t.throwsAsync(refusing.generate(request).result, {
    code: 'E_SESSION',
    message: /no execution provider works \(webgpu: /,
  });
});
