import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { connect } from '../../runtime/index.js';
import { parseGpus } from '../../runtime/worker/gpus.js';
import { Terminal } from '../helpers/command.js';

const csv = `0, GPU-aaaa, NVIDIA H100 80GB HBM3, 81559
1, GPU-bbbb, NVIDIA H100 80GB HBM3, 81559
`;

test('what nvidia-smi prints is understood', (t) => {
  t.deepEqual(parseGpus(csv), [
    { index: 0, uuid: 'GPU-aaaa', name: 'NVIDIA H100 80GB HBM3', memoryMb: 81559 },
    { index: 1, uuid: 'GPU-bbbb', name: 'NVIDIA H100 80GB HBM3', memoryMb: 81559 },
  ]);
  t.deepEqual(parseGpus(''), []);
  t.deepEqual(parseGpus('No devices were found\n'), []);
});

const actors = new URL('../fixtures/actors/environment.js', import.meta.url);

test('GPUs are found, shown, and pinned one to an actor by their uuid', async (t) => {
  await using terminal = new Terminal();
  const bin = join(terminal.folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\nprintf '%s' '${csv}'\n`);
  chmodSync(join(bin, 'nvidia-smi'), 0o755);
  terminal.env['PATH'] = `${bin}:${process.env['PATH']}`;

  const head = terminal.start('start', '--head', '--port', '0', '--cpus', '2', '--name', 'box');
  const [, address] = await head.printed(/Head at (ws:\S+),/);
  await head.printed(/GPU 1: NVIDIA H100 80GB HBM3, 81559 MB/);
  const status = await terminal.run('status', '--address', address!);
  t.regex(status.stdout, /box\s+.*0\/2 gpu.*NVIDIA H100 80GB HBM3, NVIDIA H100 80GB HBM3/);

  await using cluster = await connect({ address: address!, token: terminal.token() });
  const lib = await cluster.load<typeof import('../fixtures/actors/environment.js')>(actors);
  const options = { resources: { gpu: 1 } };
  const [a, b] = await Promise.all([
    lib.Environment.create(options),
    lib.Environment.create(options),
  ]);
  const seen = await Promise.all([
    a.variable('CUDA_VISIBLE_DEVICES'),
    b.variable('CUDA_VISIBLE_DEVICES'),
  ]);
  t.deepEqual([...seen].sort(), ['GPU-aaaa', 'GPU-bbbb']);
  const none = await lib.Environment.create({ resources: { cpu: 1 } });
  t.is(await none.variable('CUDA_VISIBLE_DEVICES'), '');
  await t.throwsAsync(lib.Environment.create({ resources: { gpu: 3 } }), {
    code: 'E_NO_ROOM',
    message: /node box: needs 3 gpu, has 2/,
  });
  await a.kill();
  const again = await lib.Environment.create(options);
  t.is(await again.variable('CUDA_VISIBLE_DEVICES'), seen[0]);
  t.is(await again.variable('PATCHBAY_TOKEN'), undefined);
});
