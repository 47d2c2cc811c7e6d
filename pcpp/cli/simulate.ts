/** `patchbay simulate`: what an image would take on devices that are not here. */

import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { table } from '../../runtime/cli/index.js';
import { startCluster } from '../../runtime/index.js';
import { openPipeline } from '../engine/pipeline.js';
import { defaultCooldown, defaultWarmup } from '../engine/step-kind.js';
import { hasCode, PcppError } from '../errors.js';
import { type Fleet, type Simulated, simulate } from '../partition/simulate.js';
import { type Wire, wires } from '../partition/wire.js';
import { compilePatchGraph } from '../rewrite/compile.js';
import { counts, integer, positive, share, size } from './arguments.js';
import { subjectOf } from './model.js';

interface SimulateOptions {
  readonly model: string;
  readonly size?: readonly [width: number, height: number];
  readonly batch?: number;
  readonly steps: number;
  readonly warmup?: number;
  readonly cooldown?: number;
  readonly devices: readonly number[];
  readonly stepMs?: number;
  readonly fixedShare: number;
  readonly rate: number;
  readonly latency: number;
  readonly border: number;
  readonly wire: Wire;
  readonly borderAge: number;
}

export function addSimulate(program: Command): void {
  program
    .command('simulate')
    .description('seconds and speed-up of an image on devices that are not here, by forecast')
    .requiredOption('--model <dir>', 'model directory, or a folder with model.onnx')
    .option('--size <WxH>', "pixels (default: the model's own)", size)
    .option('--batch <number>', "2 with guidance, otherwise 1 (default: the model's own)", integer)
    .option('--steps <number>', 'denoising steps', integer, 50)
    .option('--warmup <steps>', 'whole-image steps at the start (default: 1 of 20)', integer)
    .option('--cooldown <steps>', 'whole-image steps before the last one (default: 2)', integer)
    .option('--devices <numbers>', 'numbers of devices, with commas', counts, [1, 2, 4, 8])
    .option('--step-ms <ms>', 'of one device, a whole step (default: measured here)', positive)
    .option('--fixed-share <share>', 'of a step, what does not shrink with its rows', share, 0.1)
    .option('--rate <rate>', 'of a link, in each direction', rate, rate('25Gbit'))
    .option('--latency <time>', 'from device to device', latency, latency('50us'))
    .option('--border <fraction>', "share of a neighbour's rows that is read", share, 0.3)
    .option('--border-age <steps>', 'steps that borders are old: 1 or 2', integer, 1)
    .addOption(new Option('--wire <precision>', 'of borders').choices(wires).default('fp16'))
    .action(print);
}

async function print(options: SimulateOptions): Promise<void> {
  const { steps, border: borderFraction, wire, borderAge: age } = options;
  if (age !== 1 && age !== 2) {
    throw new PcppError('E_OPTION', `border age must be 1 or 2, got ${age}`);
  }
  const { file, shape } = subjectOf(options.model, { ...options, borderPayload: 'hidden' });
  const warmupSteps = Math.min(steps, options.warmup ?? defaultWarmup(steps));
  const cooldownSteps = Math.min(steps - warmupSteps, options.cooldown ?? defaultCooldown(steps));
  const image = { steps, warmupSteps, cooldownSteps };
  const { sites } = await compilePatchGraph(file, shape);
  const fleet = await fleetOf(options, shape.height);
  const { height, width, batch } = shape;
  const rules = { height, width, batch, borderFraction, borderCut: 'tokens', wire, age } as const;
  const rows = options.devices.map((devices) => {
    try {
      return rowOf(simulate(sites, fleet, { ...image, plan: rules }, devices));
    } catch (error) {
      if (!hasCode(error, 'E_PARTITION')) throw error;
      return [`${devices}`, 'too many devices', '-', '-', '-', '-'];
    }
  });
  const { bytesPerSecond, latency: seconds } = fleet.link;
  console.log(
    `${width} x ${height} latent, batch ${batch}, ${steps} steps, ${warmupSteps} of them warm-up, ${cooldownSteps} cool-down; one device ${ms(fleet.single)} a step`,
  );
  console.log(
    `link ${((8 * bytesPerSecond) / 1e9).toFixed(2)} Gbit/s, ${ms(seconds)}; border ${borderFraction}, ${wire}, age ${age}`,
  );
  const head = [
    'devices',
    'pcpp',
    'pcpp in two groups',
    'pcpp interleaved',
    'distrifusion',
    'DistriFusion as published',
  ];
  console.log(table(head, rows));
}

const rowOf = ({
  devices,
  single,
  pcpp,
  grouped,
  interleaved,
  distrifusion,
  published,
}: Simulated): string[] => [
  `${devices}`,
  ...[pcpp, grouped, interleaved, distrifusion, published].map((seconds) =>
    seconds === undefined ? '-' : `${seconds.toFixed(2)} s, ${(single / seconds).toFixed(2)}x`,
  ),
];

const ms = (seconds: number): string => `${Number((1000 * seconds).toPrecision(3))} ms`;

/** By the step time that was given, or by that of one worker on this machine. */
async function fleetOf(options: SimulateOptions, height: number): Promise<Fleet> {
  const link = { bytesPerSecond: options.rate, latency: options.latency };
  const { stepMs, fixedShare: fixed, model, size: pixels, batch } = options;
  if (stepMs !== undefined) {
    const whole = stepMs / 1000;
    const displaced = { fixed: fixed * whole, perRow: ((1 - fixed) * whole) / height };
    return {
      device: { whole, displaced },
      single: whole,
      encode: 0,
      decode: { whole: 0 },
      exchange: 0,
      link,
    };
  }
  if (batch !== undefined && batch > 2) {
    throw new PcppError(
      'E_OPTION',
      `batch ${batch} is not measured here, only 1 and 2: give --step-ms`,
    );
  }
  await using local = await startCluster({ workers: 1 });
  await using pipeline = await openPipeline(local.cluster, { model: resolve(model), devices: 1 });
  const { devices, ...costs } = await pipeline.costs({
    prompt: '',
    ...(pixels ? { width: pixels[0], height: pixels[1] } : {}),
    // Guidance doubles the batch.
    ...(batch === undefined ? {} : { guidanceScale: batch }),
  });
  return { ...costs, device: devices[0]!, link };
}

/** @returns Bytes per second. */
function rate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kMG])bit$/.exec(text);
  const unit = { k: 1e3, M: 1e6, G: 1e9 }[match?.[2] ?? ''];
  const value = Number(match?.[1]);
  if (unit && value > 0) return (value * unit) / 8;
  throw new InvalidArgumentError('Expected a rate such as 25Gbit, 100Mbit.');
}

/** @returns Seconds. */
function latency(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s)$/.exec(text);
  const unit = { us: 1e-6, ms: 1e-3, s: 1 }[match?.[2] ?? ''];
  if (match && unit) return Number(match[1]) * unit;
  throw new InvalidArgumentError('Expected a time such as 50us, 0.2ms.');
}
