/** `patchbay generate`: one picture, on a running cluster or on one that lives only for it. */

import { readFileSync, writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import {
  type RequestedMode,
  type RowShares,
  requestedModes,
} from '../engine/generation-request.js';
import { type WarmupKind, warmupKinds } from '../engine/step-kind.js';
import { PcppError } from '../errors.js';
import type { RgbImage } from '../image/decode.js';
import { readPicture } from '../image/png.js';
import type { ProviderChoice } from '../onnx/provider.js';
import type { BorderRule } from '../partition/border-rules.js';
import {
  type BorderAge,
  type BorderCut,
  borderCuts,
  type GroupNormMode,
  groupNormModes,
} from '../partition/plan.js';
import { type Wire, wires } from '../partition/wire.js';
import { type AttentionPayload, attentionPayloads } from '../rewrite/sites.js';
import { type SamplerName, samplerNames } from '../samplers/sampler.js';
import { borderRules, number, providerOption, rowShares, size } from './arguments.js';
import { defaultModel } from './default-model.js';
import { makeHere, makeThere } from './make-images.js';
import { outputFiles } from './output-files.js';
import { summary } from './summary.js';

interface GenerateOptions {
  readonly cfgParallel?: true;
  readonly cfgInterleaved?: true;
  readonly rowShares?: RowShares;
  readonly borderDeadline?: number;
  readonly lateSteps?: number;
  readonly size?: readonly [width: number, height: number];
  readonly steps?: number;
  readonly seed?: number;
  readonly mode?: RequestedMode;
  readonly border?: number;
  readonly borderRule?: readonly BorderRule[];
  readonly borderCut?: BorderCut;
  readonly borderPayload?: AttentionPayload;
  readonly groupNorm?: GroupNormMode;
  readonly borderAge?: BorderAge;
  readonly wire?: Wire;
  readonly warmup?: number;
  readonly warmupKind?: WarmupKind;
  readonly cooldown?: number;
  readonly devices?: number;
  readonly provider?: ProviderChoice;
  readonly sampler?: SamplerName;
  readonly guidance?: number;
  readonly negative?: string;
  readonly image?: string;
  readonly strength?: number;
  readonly images?: number;
  readonly previewEvery?: number;
  readonly model: string;
  readonly output: string;
  readonly address?: string;
  readonly tokenFile?: string;
  readonly service?: string;
  readonly priority?: number;
}

export function addGenerate(program: Command): void {
  program
    .command('generate')
    .description('make a picture from a prompt')
    .argument('<prompt>', 'what the picture shows')
    .option('--size <WxH>', "pixels, such as 512x512 (default: the model's own)", size)
    .option('--steps <number>', "denoising steps (default: the model's own)", number)
    .option('--seed <number>', 'the same seed gives the same picture (default: 0)', number)
    .addOption(
      new Option('--mode <mode>', 'how devices share the picture (default: pcpp)').choices(
        requestedModes,
      ),
    )
    .option(
      '--border <fraction>',
      "share of a neighbour's rows that is read (default: 0.3)",
      number,
    )
    .option(
      '--border-rule <rule>',
      'another share for some steps or layers, such as 0.5,steps=4:10,layers=up_blocks; may be repeated, the last one holds',
      borderRules,
    )
    .addOption(
      new Option('--border-cut <cut>', 'whole rows or single tokens (default: tokens)').choices(
        borderCuts,
      ),
    )
    .addOption(
      new Option(
        '--border-payload <what>',
        'keys and values, or what they are made of (default: hidden)',
      ).choices(attentionPayloads),
    )
    .addOption(
      new Option('--group-norm <statistics>', 'of displaced steps (default: damped)').choices(
        groupNormModes,
      ),
    )
    .option('--border-age <steps>', 'steps that borders are old: 1 or 2 (default: 1)', number)
    .option('--border-deadline <ms>', 'wait so long for a border, then take an older one', number)
    .option('--late-steps <steps>', 'that such a border may be older (default: 1)', number)
    .addOption(
      new Option('--wire <precision>', 'of borders between devices (default: fp16)').choices(wires),
    )
    .option('--warmup <steps>', 'whole-image steps at the start (default: 1 of 20)', number)
    .addOption(
      new Option(
        '--warmup-kind <kind>',
        'these steps of the whole image, or of own rows twice (default: whole)',
      ).choices(warmupKinds),
    )
    .option(
      '--cooldown <steps>',
      'whole-image steps before the last one (default: 2 of 20)',
      number,
    )
    .option(
      '--row-shares <shares>',
      'of the devices: equal, measured, or weights such as 2,1 (default: equal)',
      rowShares,
    )
    .option('--cfg-parallel', 'prompt and negative prompt on two groups of devices')
    .option(
      '--cfg-interleaved',
      "prompt and negative prompt in turns, while the other's borders travel",
    )
    .option('--devices <number>', 'devices to use (default: all)', number)
    .addOption(providerOption())
    .addOption(
      new Option('--sampler <name>', "(default: the model's own)").choices([...samplerNames]),
    )
    .option(
      '--guidance <scale>',
      "how strictly to follow the prompt (default: the model's own)",
      number,
    )
    .option('--image <file>', 'PNG to begin with instead of noise alone; its size is kept')
    .option('--strength <share>', 'how much of it may change (default: 0.8)', number)
    .option(
      '--images <number>',
      'how many, with the seeds that follow; files are numbered (default: 1)',
      number,
    )
    .option(
      '--preview-every <steps>',
      'show what NAME.png will be in NAME.preview.png, until it is written (default: 0, never)',
      number,
    )
    .option('--negative <prompt>', 'what the picture should not show')
    .option('--model <dir>', 'model directory, at the same path on every node', defaultModel())
    .option('-o, --output <file>', 'PNG to write', 'patchbay.png')
    .option(
      '--address <url>',
      'head of a running cluster (default: PATCHBAY_ADDRESS, else a local one is started)',
    )
    .option('--token-file <file>', 'file with the token of that cluster')
    .option('--service <name>', 'by the model and devices of a running `patchbay serve`')
    .option('--priority <number>', 'in the line of that service, higher first (default: 0)', number)
    .action(generate);
}

async function generate(prompt: string, options: GenerateOptions): Promise<void> {
  const outputs = outputFiles(options.output, options.images);
  const request = requestOf(prompt, options);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const { signal } = interrupted;
  try {
    const results =
      options.service === undefined
        ? makeHere(request, outputs, options, signal)
        : makeThere(request, outputs, { ...options, service: options.service }, signal);
    let made = 0;
    for await (const result of results) {
      const file = outputs[made++]!;
      writeFileSync(file, result.png);
      console.log(summary(file, result));
    }
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

function readImage(path: string): RgbImage {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new PcppError('E_OPTION', `cannot read ${path}: ${String(cause)}`, { cause });
  }
  return readPicture(bytes, path);
}

/** Commander leaves out what was not given; so does the request. */
function requestOf(prompt: string, options: GenerateOptions) {
  const { size: pixels, steps, seed, mode, sampler, guidance, border, warmup, negative } = options;
  const { devices, borderCut, borderPayload, borderAge, wire, image, strength, cfgParallel } =
    options;
  const {
    rowShares: shares,
    borderDeadline,
    lateSteps,
    borderRule,
    cfgInterleaved,
    groupNorm,
    previewEvery,
    warmupKind,
    cooldown,
  } = options;
  const given = {
    width: pixels?.[0],
    height: pixels?.[1],
    steps,
    seed,
    mode,
    sampler,
    guidanceScale: guidance,
    borderFraction: border,
    borderRules: borderRule,
    borderCut,
    borderPayload,
    groupNorm,
    borderAge,
    wire,
    warmupSteps: warmup,
    warmup: warmupKind,
    cooldownSteps: cooldown,
    negativePrompt: negative,
    image: image === undefined ? undefined : readImage(image),
    strength,
    cfgParallel,
    cfgInterleaved,
    rowShares: shares,
    borderDeadlineMs: borderDeadline,
    lateSteps,
    previewEvery,
    devices: mode === 'single' ? undefined : devices,
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    prompt,
    ...(Object.fromEntries(set) as { [K in keyof typeof given]?: NonNullable<(typeof given)[K]> }),
  };
}
