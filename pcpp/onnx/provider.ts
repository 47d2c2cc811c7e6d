/**
 * Execution providers of ONNX Runtime, and which of them work in this process. Its own list of providers does not fall back: it
 * refuses the session if one of them cannot be loaded.
 */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PcppError } from '../errors.js';
import { GraphBuilder } from './builder.js';
import { elementTypes, encodeModel } from './messages.js';
import { portOf } from './model.js';
import { Session } from './session.js';

/** `cuda` needs onnxruntime-node installed with its CUDA libraries, `webgpu` a driver of Vulkan, Metal or Direct3D. */
export type Provider = 'cpu' | 'webgpu' | 'cuda';

/** `auto`: of a GPU the fastest that works, the processor where there is none. */
export type ProviderChoice = Provider | 'auto';

export const providerChoices: readonly ProviderChoice[] = ['auto', 'cpu', 'webgpu', 'cuda'];

export interface ProviderFound {
  readonly provider: Provider;
  /** What would have been better and does not work here, best first. */
  readonly refused: readonly Refusal[];
}

interface Refusal {
  readonly provider: Provider;
  /** In one line. */
  readonly why: string;
}

/** @param hasGpu Whether a GPU was given to whoever asks. */
export const candidatesFor = (choice: ProviderChoice, hasGpu: boolean): readonly Provider[] => {
  if (choice !== 'auto') return [choice];
  return hasGpu ? ['cuda', 'webgpu', 'cpu'] : ['cpu'];
};

/**
 * The first that runs a graph of one node.
 *
 * @param refusalOf Tries one: undefined if it works.
 * @throws PcppError `E_SESSION` if none does, saying why and what to do.
 */
export async function firstWorking(
  candidates: readonly Provider[],
  refusalOf: (provider: Provider) => Promise<string | undefined> = tryProvider,
): Promise<ProviderFound> {
  const refused: Refusal[] = [];
  for (const provider of candidates) {
    const why = await refusalOf(provider);
    if (why === undefined) return { provider, refused };
    refused.push({ provider, why });
  }
  const whys = refused.map(({ provider, why }) => `${provider}: ${why}`).join('; ');
  throw new PcppError(
    'E_SESSION',
    `no execution provider works (${whys}); take cpu, or auto, which falls back to it`,
  );
}

/** @returns Why it does not work here, in one line. */
export async function tryProvider(provider: Provider): Promise<string | undefined> {
  if (provider === 'cpu') return undefined;
  if (provider === 'cuda' && !hasCudaLibraries()) {
    return 'onnxruntime-node was installed without its CUDA libraries (ONNXRUNTIME_NODE_INSTALL=cuda12 npm ci)';
  }
  try {
    await using session = await Session.open(trialGraph(), { provider });
    const x = { type: 'float32', dims: [1], data: Float32Array.of(1) } as const;
    await session.run({ x });
    return undefined;
  } catch (error) {
    return (error as Error).message.split('\n')[0]!;
  }
}

/** x * x of one float32. */
function trialGraph(): Uint8Array {
  const builder = new GraphBuilder(17);
  builder.op('Mul', ['x', 'x'], {}, 'y');
  const port = (name: string) => portOf({ name, elementType: elementTypes.float32, dims: [1] });
  return encodeModel({
    ir_version: 8,
    opset_import: [{ domain: '', version: 17 }],
    graph: { name: 'trial', node: builder.nodes, input: [port('x')], output: [port('y')] },
  });
}

/** ONNX Runtime prints lines of its own when they are missing. */
function hasCudaLibraries(): boolean {
  const main = createRequire(import.meta.url).resolve('onnxruntime-node');
  const folder = join(main, '..', '..', 'bin', 'napi-v6', process.platform, process.arch);
  return existsSync(join(folder, 'libonnxruntime_providers_cuda.so'));
}
