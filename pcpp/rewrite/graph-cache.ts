/**
 * Patch graphs on disk, beside the model they were made of. A file is found by the hash of that model, so one of another
 * export is never used; one that is damaged is as good as none.
 */

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import { PcppError } from '../errors.js';
import { compilePatchGraph, type PatchGraph, type PatchGraphShape } from './compile.js';
import type { GraphSites } from './sites.js';

/** Goes up whenever the same model would give another patch graph. */
const compilerVersion = 2;

const folderName = 'patch-graphs';

interface Described {
  readonly sites: GraphSites;
  readonly sample: string;
  readonly output: string;
  readonly tokens?: PatchGraph['tokens'] | undefined;
  readonly hasExternalData: boolean;
  /** SHA-256 of the graph file and of everything above. */
  readonly hash: string;
}

// Sites are ours and belong to the hash: they are not looked into.
const described: z.ZodType<Described> = z.object({
  sites: z.custom<GraphSites>((value) => typeof value === 'object' && value !== null),
  sample: z.string(),
  output: z.string(),
  tokens: z.object({ positions: z.array(z.string()) }).optional(),
  hasExternalData: z.boolean(),
  hash: z.string(),
});

/**
 * The graph on disk if there is one, otherwise a new one, which is not written.
 *
 * @throws PcppError as `compilePatchGraph`.
 */
export async function openPatchGraph(
  denoiserFile: string,
  shape: PatchGraphShape,
): Promise<PatchGraph> {
  return (await readPatchGraph(denoiserFile, shape)) ?? compilePatchGraph(denoiserFile, shape);
}

/** @returns undefined if there is none for this model and shape, or it is damaged. */
export async function readPatchGraph(
  denoiserFile: string,
  shape: PatchGraphShape,
): Promise<PatchGraph | undefined> {
  if (!existsSync(join(dirname(denoiserFile), folderName))) return undefined;
  const file = await fileOf(denoiserFile, shape);
  try {
    const bytes = await readFile(`${file}.onnx`);
    const found = described.parse(JSON.parse(await readFile(`${file}.json`, 'utf8')));
    const { hash, ...description } = found;
    if (hash !== hashOf(bytes, description)) return undefined;
    const { sites, sample, output, tokens } = description;
    const folder = found.hasExternalData ? { externalDataFolder: dirname(denoiserFile) } : {};
    return { bytes, sites, sample, output, ...(tokens ? { tokens } : {}), ...folder };
  } catch {
    return undefined;
  }
}

/**
 * @returns Path of the graph file.
 * @throws PcppError `E_MODEL_DIR` if the model's folder cannot be written.
 */
export async function writePatchGraph(
  denoiserFile: string,
  shape: PatchGraphShape,
  graph: PatchGraph,
): Promise<string> {
  const { bytes, sites, sample, output, tokens, externalDataFolder } = graph;
  const hasExternalData = externalDataFolder !== undefined;
  const description = { sites, sample, output, tokens, hasExternalData };
  const text: Described = { ...description, hash: hashOf(bytes, description) };
  const file = await fileOf(denoiserFile, shape);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeWhole(`${file}.onnx`, bytes);
    await writeWhole(`${file}.json`, JSON.stringify(text));
  } catch (cause) {
    throw new PcppError('E_MODEL_DIR', `cannot write ${file}.onnx: ${String(cause)}`, { cause });
  }
  return `${file}.onnx`;
}

const hashOf = (
  bytes: Uint8Array,
  { sites, sample, output, tokens, hasExternalData }: Omit<Described, 'hash'>,
): string =>
  createHash('sha256')
    .update(bytes)
    .update(JSON.stringify([sites, sample, output, hasExternalData, ...(tokens ? [tokens] : [])]))
    .digest('hex');

const hashed = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Devices may read it meanwhile: a file is there whole or not at all. */
async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const unfinished = `${file}.${process.pid}`;
  await writeFile(unfinished, content);
  await rename(unfinished, file);
}

async function fileOf(denoiserFile: string, shape: PatchGraphShape): Promise<string> {
  const { width, batch, payload = 'kv', layers = [] } = shape;
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(denoiserFile), hash);
  } catch (cause) {
    throw new PcppError('E_MODEL_DIR', `cannot read ${denoiserFile}`, { cause });
  }
  const model = hash.digest('hex').slice(0, 16);
  const told = layers.length > 0 ? `-${hashed(JSON.stringify(layers))}` : '';
  const name = `${model}-v${compilerVersion}-w${width}-b${batch}-${payload}${told}`;
  return join(dirname(denoiserFile), folderName, name);
}
