/** From a graph to its trace: ports fixed for probing, shapes asked for, rows followed from the latent to the output. */

import { PcppError } from '../errors.js';
import { intsOf, nameOf, viewOf } from '../onnx/graph.js';
import type { Axes, OnnxModel } from '../onnx/model.js';
import { consultOracle, type Oracle } from '../onnx/oracle.js';
import { shrinkFills } from './fills.js';
import {
  type Grid,
  inputsOf,
  inputTags,
  type LatentPort,
  latentDims,
  latentPortOf,
} from './latent-port.js';
import { checkTags, type Propagation, propagate } from './propagate.js';
import { checkModel, refuse } from './refusals.js';
import { checkSize } from './sites.js';

/** Rows at the deepest level while probing: odd and unlike other sizes, so that reshapes are unambiguous. */
const probeRows = [13, 11] as const;
/** Tokens of a prompt whose number the model leaves open; what is made of the graph leaves it open too. */
export const probeTokens = 77;

/** A graph whose rows have been followed from the latent on. */
export interface Trace {
  /** The model that was traced: wide fills are gone. */
  readonly model: OnnxModel;
  readonly oracle: Oracle;
  /** Inputs with every axis a number. */
  readonly ports: readonly Axes[];
  readonly latent: LatentPort;
  /** Of the latent while probing. */
  readonly grid: Grid;
  readonly found: Propagation;
}

/** @throws PcppError `E_SIZE`, or `E_GRAPH` naming the first node that cannot be split. */
export async function traceRows(original: OnnxModel, shape: Grid): Promise<Trace> {
  checkModel(original);
  const latent = latentPortOf(original);
  const downsampling = stridesOf(original, latent);
  checkSize('height', shape.height, downsampling);
  checkSize('width', shape.width, downsampling);
  const [probe, otherProbe] = probeRows.map((rows) => rows * downsampling) as [number, number];
  const height = latent.onlyHeight ?? (shape.height === probe ? otherProbe : probe);
  const grid = { ...shape, height };
  const ports = portsAt(original, latent, grid);
  const unfilled = await consultOracle(original, ports);
  const model = shrinkFills(original, unfilled);
  const oracle = model === original ? unfilled : await consultOracle(model, ports);
  const found = propagate(model, oracle, inputTags(latent, grid));
  if (latent.onlyHeight === undefined) {
    // The height that is asked for is another one, so it tells what grows with the rows.
    const asked = await consultAt(model, portsAt(model, latent, shape), found, shape.height);
    checkTags(found, oracle, asked, [height, shape.height]);
  }
  return { model, oracle, ports, latent, grid, found };
}

/** @throws PcppError `E_SIZE` where a table of the model ends before this height. */
async function consultAt(
  model: OnnxModel,
  ports: readonly Axes[],
  found: Propagation,
  height: number,
): Promise<Oracle> {
  const reader = [...found.edits].find(([, edit]) => edit.kind === 'table')?.[0];
  try {
    return await consultOracle(model, ports);
  } catch (cause) {
    if (!reader) throw cause;
    throw new PcppError(
      'E_SIZE',
      `latent height ${height} is more than the table reaches that ${nameOf(reader)} reads; ask for a smaller image`,
      { cause },
    );
  }
}

/** The largest product of row strides along any path from the latent. */
function stridesOf(model: OnnxModel, { axes, packing }: LatentPort): number {
  const view = viewOf(model.graph);
  const factors = new Map<string, number>([[axes.name, packing]]);
  for (const node of view.nodes) {
    const factor = Math.max(0, ...(node.input ?? []).map((name) => factors.get(name) ?? 0));
    const stride = node.op_type === 'Conv' ? (intsOf(node, 'strides')?.[0] ?? 1) : 1;
    if (factor) for (const name of node.output ?? []) factors.set(name, factor * stride);
  }
  return Math.max(...factors.values());
}

/** The model's inputs with every axis a number. */
function portsAt(model: OnnxModel, latent: LatentPort, grid: Grid): Axes[] {
  const wanted = latentDims(latent, grid);
  const named = new Map<string, number>();
  const sides =
    latent.packing === 1
      ? ['batch', 'channel count', 'height', 'width']
      : ['batch', 'tokens', 'features'];
  for (const [axis, dim] of latent.axes.dims.entries()) {
    if (typeof dim === 'string') named.set(dim, wanted[axis]!);
    else if (dim !== wanted[axis]) {
      throw new PcppError(
        'E_SIZE',
        `the model was exported for ${sides[axis]} ${dim}, not ${wanted[axis]}; export it with dynamic axes`,
      );
    }
  }
  return inputsOf(model).map((port) => ({
    ...port,
    dims: port.dims.map((dim) => fixed(port, dim, named)),
  }));
}

function fixed(port: Axes, dim: number | string, named: ReadonlyMap<string, number>): number {
  if (typeof dim === 'number') return dim;
  // An open axis of a vector is a list of timesteps, and there is one.
  return named.get(dim) ?? (port.dims.length === 1 ? 1 : probeTokens);
}

export function outputOf(model: OnnxModel, tagged: readonly string[]): string {
  const outputs = (model.graph.output ?? []).map((port) => port.name ?? '');
  const found = outputs.find((name) => tagged.includes(name));
  if (found) return found;
  const last = model.graph.node!.at(-1)!;
  return refuse(
    last,
    `none of the outputs ${outputs.join(', ')} has image rows`,
    'run it on one device',
  );
}
