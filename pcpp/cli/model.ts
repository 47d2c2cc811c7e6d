/** `patchbay model`: what a model directory holds and costs, and patch graphs made ahead of time. */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { isGuided } from '../engine/guidance.js';
import { hasCode, PcppError } from '../errors.js';
import { ModelDirectory } from '../model/directory.js';
import { requireSize } from '../model/size.js';
import { loadModel } from '../onnx/model.js';
import { type BorderCut, borderCuts } from '../partition/plan.js';
import { type Wire, wires } from '../partition/wire.js';
import { compilePatchGraph, type PatchGraphShape, patchGraphOf } from '../rewrite/compile.js';
import { writePatchGraph } from '../rewrite/graph-cache.js';
import { type AttentionPayload, attentionPayloads } from '../rewrite/sites.js';
import { stagedSitesOf } from '../rewrite/staged.js';
import { traceRows } from '../rewrite/trace.js';
import { counts, integer, numbers, size } from './arguments.js';
import {
  describeAttention,
  describeModel,
  describeSites,
  describeTraffic,
} from './model-report.js';

export interface ShapeOptions {
  readonly size?: readonly [width: number, height: number];
  readonly batch?: number;
  readonly borderPayload: AttentionPayload;
}

interface InspectOptions extends ShapeOptions {
  readonly devices: readonly number[];
  readonly borders: readonly number[];
  readonly borderCut: BorderCut;
  readonly wire: Wire;
  readonly operators?: true;
}

export function addModel(program: Command): void {
  const model = program.command('model').description('look into model directories, prepare them');
  withShape(
    model
      .command('inspect')
      .description('sites, borders and bytes of a model directory, or of a folder with model.onnx'),
  )
    .option('--devices <numbers>', 'numbers of devices, with commas', counts, [2, 4, 8])
    .option('--borders <fractions>', 'border fractions, with commas', numbers, [0.1, 0.3, 0.5, 1])
    .addOption(
      new Option('--border-cut <cut>', 'whole rows or single tokens')
        .choices(borderCuts)
        .default('tokens'),
    )
    .addOption(
      new Option('--wire <precision>', 'of borders between devices').choices(wires).default('fp16'),
    )
    .option('--operators', 'names of all attention operators, for --border-rule')
    .action(inspect);
  withShape(
    model
      .command('compile')
      .description('write the patch graph beside the model, for devices to start with'),
  ).action(compile);
}

const withShape = (command: Command): Command =>
  command
    .argument('<dir>', 'model directory')
    .option('--size <WxH>', "pixels (default: the model's own)", size)
    .option('--batch <number>', "2 with guidance, otherwise 1 (default: the model's own)", integer)
    .addOption(
      new Option('--border-payload <what>', 'keys and values, or what they are made of')
        .choices(attentionPayloads)
        .default('hidden'),
    );

/** The graph and the latent it is for. */
export interface Subject {
  readonly file: string;
  readonly shape: PatchGraphShape;
  /** Lines about everything but the graph. */
  readonly lines: readonly string[];
}

export function subjectOf(path: string, options: ShapeOptions): Subject {
  const root = resolve(path);
  const { borderPayload: payload } = options;
  if (!existsSync(join(root, 'model_index.json')) && existsSync(join(root, 'model.onnx'))) {
    // A denoiser by itself: eight pixels a latent row, as all its kind have it.
    const [width, height] = (options.size ?? [1024, 1024]).map((side) => side / 8);
    const shape = { width: width!, height: height!, batch: options.batch ?? 1, payload };
    return { file: join(root, 'model.onnx'), shape, lines: [] };
  }
  const model = ModelDirectory.open(root);
  const { defaults, denoiser, pixelsPerRow, sizeMultiple, sizeLimit } = model;
  const [width, height] = options.size ?? [defaults.width, defaults.height];
  if (width === null || height === null) {
    throw new PcppError('E_OPTION', 'the model names no image size: give --size');
  }
  requireSize(width, height, sizeMultiple, sizeLimit);
  const isTwice = denoiser.guidance === 'batch' && isGuided(defaults.guidanceScale);
  const batch = options.batch ?? (isTwice ? 2 : 1);
  const [columns, rows] = [width, height].map((side) => side / pixelsPerRow) as [number, number];
  const shape = { width: columns, height: rows, batch, payload };
  return { file: model.graph(model.denoiserPart), shape, lines: describeModel(model) };
}

async function inspect(path: string, options: InspectOptions): Promise<void> {
  const { file, shape, lines } = subjectOf(path, options);
  for (const line of lines) console.log(line);
  try {
    const { payload, ...size } = shape;
    const trace = await traceRows(await loadModel(file), size);
    const { sites } = patchGraphOf(trace, payload);
    const stages = stagedSitesOf(trace, 'kv');
    console.log(describeSites(sites, shape.height));
    console.log(describeTraffic(sites, stages, shape.height, options));
    if (options.operators) console.log(describeAttention(sites));
  } catch (error) {
    if (!hasCode(error, 'E_GRAPH')) throw error;
    console.log(`It runs on one device only (--mode single). ${error.message}`);
  }
}

async function compile(path: string, options: ShapeOptions): Promise<void> {
  const { file, shape } = subjectOf(path, options);
  const started = performance.now();
  const graph = await compilePatchGraph(file, shape);
  const written = await writePatchGraph(file, shape, graph);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const { width, batch, payload } = shape;
  console.log(`${written}: latent width ${width}, batch ${batch}, ${payload}, ${seconds} s`);
}
