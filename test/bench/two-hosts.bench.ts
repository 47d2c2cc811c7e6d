/**
 * Two hosts with a slow link between them, in network namespaces of this machine: images by every way to exchange borders, and
 * what a step takes. Needs Linux, root, `ip` and Python 3; leaves nothing behind.
 *
 *   node dist/test/bench/two-hosts.bench.js [mbit=1000] [one-way ms=1] [pixels=512] [steps=20] [rounds=5]
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type GenerationRequest, openPipeline } from '../../pcpp/index.js';
import { table } from '../../runtime/cli/index.js';
import { connect } from '../../runtime/index.js';

const [mbit = 1000, delayMs = 1, pixels = 512, steps = 20, rounds = 5] = process.argv
  .slice(2)
  .map(Number);
const model = fileURLToPath(new URL('../../../examples/models/scenes', import.meta.url));
const cli = fileURLToPath(new URL('../../pcpp/cli/main.js', import.meta.url));
const python = fileURLToPath(new URL('../../../test/bench/slow-link.py', import.meta.url));
const inside = 'PATCHBAY_BENCH_ADDRESS';
const port = 7420;
const ips = ['10.77.0.1', '10.77.0.2'] as const;

const variants: readonly [label: string, request: Partial<GenerationRequest>][] = [
  ['one device', { mode: 'single' }],
  ['distrifusion, fp16', { mode: 'distrifusion', wire: 'fp16' }],
  ['the same, interleaved', { mode: 'distrifusion', wire: 'fp16', cfgInterleaved: true }],
  ['pcpp, fp16', { wire: 'fp16' }],
  ['the same, interleaved', { wire: 'fp16', cfgInterleaved: true }],
  ['pcpp, int8', { wire: 'int8' }],
  ['the same, interleaved', { wire: 'int8', cfgInterleaved: true }],
  ['pcpp, fp16, age 2', { wire: 'fp16', borderAge: 2 }],
  ['guidance on both', { mode: 'single', cfgParallel: true }],
];

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** As the driver, on the first host. */
async function measure(address: string): Promise<void> {
  await using cluster = await connect({ address });
  await using pipeline = await openPipeline(cluster, { model });
  const request = {
    prompt: 'snowy mountains, a calm lake, sunset, clear sky',
    ...{ width: pixels, height: pixels, steps, seed: 7 },
    // Displaced steps are what is compared.
    ...{ warmupSteps: 2, cooldownSteps: 0 },
  };
  const load = loadavg()[0]!.toFixed(1);
  console.log(`${cpus()[0]!.model}, ${availableParallelism()} cores, load ${load} before the run`);
  console.log(
    `${mbit} Mbit/s, ${2 * delayMs} ms there and back; ${pixels} x ${pixels}, ${steps} steps, ${rounds} alternating rounds, medians`,
  );
  for (const [, more] of variants) await pipeline.generate({ ...request, ...more }).result;
  const times = variants.map(() => ({
    image: [] as number[],
    step: [] as number[],
    wait: [] as number[],
    bytes: 0,
  }));
  for (let round = 0; round < rounds; round++) {
    for (const [index, [, more]] of variants.entries()) {
      const {
        denoiseMs,
        steps: done,
        settings,
      } = await pipeline.generate({ ...request, ...more }).result;
      const first = settings.warmupSteps === settings.evaluations ? 1 : settings.warmupSteps + 1;
      const own = times[index]!;
      const steady = done.slice(first);
      own.image.push(denoiseMs);
      own.step.push(median(steady.map(({ stepMs }) => stepMs)));
      own.wait.push(median(steady.map(({ waitMs }) => waitMs)));
      own.bytes = steady.at(-2)!.borderBytes;
    }
  }
  const alone = median(times[0]!.image);
  const rows = variants.map(([label], index) => {
    const { image, step, wait, bytes } = times[index]!;
    return [
      label,
      `${(median(image) / 1000).toFixed(2)} s`,
      `${(alone / median(image)).toFixed(2)}x`,
      `${median(step).toFixed(1)} ms`,
      `${median(wait).toFixed(1)} ms`,
      `${Math.round(bytes / 1000)} kB`,
    ];
  });
  console.log(table(['', 'image', 'speed', 'step', 'of it waiting', 'bytes of a step'], rows));
}

const ip = (...words: readonly string[]): void => {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
};

/** Two hosts and a wire; undone in the opposite order. */
async function withHosts(work: (hosts: readonly [string, string]) => Promise<void>): Promise<void> {
  const name = (part: string): string => `pb${process.pid}${part}`;
  const [wire, ...hosts] = [name('w'), name('a'), name('b')] as const;
  const made: string[] = [];
  const running: ChildProcess[] = [];
  try {
    for (const space of [wire, ...hosts]) {
      ip('netns', 'add', space);
      made.push(space);
    }
    for (const [index, host] of hosts.entries()) {
      ip(
        'link',
        'add',
        'eth0',
        'netns',
        host,
        'type',
        'veth',
        'peer',
        'name',
        `end${index}`,
        'netns',
        wire,
      );
      ip('-n', host, 'addr', 'add', `${ips[index]}/24`, 'dev', 'eth0');
      for (const device of ['lo', 'eth0']) ip('-n', host, 'link', 'set', device, 'up');
      ip('-n', wire, 'link', 'set', `end${index}`, 'up');
    }
    running.push(
      await started(wire, ['python3', python, 'end0', 'end1', `${mbit}`, `${delayMs}`], /ready/),
    );
    await work(hosts);
  } finally {
    for (const child of running) await ended(child);
    for (const space of made.reverse()) ip('netns', 'del', space);
  }
}

/** Resolves once the child has printed such a line. */
async function started(
  space: string,
  command: readonly string[],
  line: RegExp,
): Promise<ChildProcess> {
  const child = spawn('ip', ['netns', 'exec', space, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Or they would find each other's Unix sockets, which no namespace of networks hides.
    env: { ...process.env, PATCHBAY_MACHINE: space },
  });
  for await (const text of createInterface(child.stdout)) {
    if (line.test(text)) {
      child.stdout.resume();
      return child;
    }
  }
  throw new Error(`${command.join(' ')} ended before it was ready`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

async function outside(): Promise<void> {
  process.env['PATCHBAY_TOKEN'] = randomUUID();
  process.env['PATCHBAY_LOG'] = 'error';
  await withHosts(async ([first, second]) => {
    const running: ChildProcess[] = [];
    const start = async (space: string, name: string, ...options: readonly string[]) => {
      const command = [process.execPath, cli, 'start', '--cpus', '1', '--name', name, ...options];
      running.push(await started(space, command, /ws:/));
    };
    try {
      const address = `ws://${ips[0]}:${port}`;
      await start(first, 'a', '--head', '--host', ips[0], '--port', `${port}`, '--no-journal');
      await start(second, 'b', '--address', address, '--host', ips[1]);
      const self = [process.execPath, ...process.argv.slice(1)];
      const driver = spawn('ip', ['netns', 'exec', first, ...self], {
        stdio: 'inherit',
        env: { ...process.env, PATCHBAY_MACHINE: first, [inside]: address },
      });
      await once(driver, 'exit');
    } finally {
      for (const child of running.reverse()) await ended(child);
    }
  });
}

const address = process.env[inside];
await (address ? measure(address) : outside());
