/**
 * Shapes of every value in a graph, from ONNX Runtime's own inference.
 *
 * ONNX Runtime is asked about a stub: the same nodes, but every weight is a graph input of the same shape, so nothing
 * large is ever read. A first session folds what is constant once the ports are fixed; a second one, with these constants
 * put in, reports shapes. Chains such as Shape, Equal, Where, Expand need two rounds.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PcppError } from '../errors.js';
import {
  elementTypes,
  encodeModel,
  type GraphProto,
  type NodeProto,
  type TensorProto,
} from './messages.js';
import {
  type Axes,
  countOf,
  dimsOf,
  type OnnxModel,
  parseModel,
  portOf,
  valuesOf,
} from './model.js';
import { type ElementType, Session } from './session.js';

export interface Constant {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

export interface Oracle {
  /** Dimensions by value name; an axis that stayed unknown is -1. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Element type (number of the ONNX schema) by value name. */
  readonly types: ReadonlyMap<string, number>;
  /** Small values that are constant once the ports are fixed. */
  readonly constants: ReadonlyMap<string, Constant>;
}

/** Constants above this many elements are weights. */
const smallElements = 64;
const rounds = 4;

/**
 * @param ports The model's inputs with every axis fixed.
 * @throws PcppError `E_GRAPH` if ONNX Runtime refuses the graph with these ports.
 */
export async function consultOracle(model: OnnxModel, ports: readonly Axes[]): Promise<Oracle> {
  const constants = new Map<string, TensorProto>();
  for (let round = 1; ; round++) {
    const stub = stubOf(model, ports, constants);
    const before = constants.size;
    for (const [name, tensor] of await foldConstants(stub)) constants.set(name, tensor);
    const oracle = await readShapes(stubOf(model, ports, constants), ports, model.graph);
    const open = [...oracle.shapes.values()].some((dims) => dims.includes(-1));
    if (!open || constants.size === before || round === rounds) {
      return { ...oracle, constants: readConstants(model.graph, constants) };
    }
  }
}

/** The model without weights and without the nodes whose results are known. */
function stubOf(
  model: OnnxModel,
  ports: readonly Axes[],
  constants: ReadonlyMap<string, TensorProto>,
): { readonly proto: OnnxModel['proto']; readonly graph: GraphProto } {
  const small: TensorProto[] = [];
  const weights: Axes[] = [];
  for (const tensor of model.graph.initializer ?? []) {
    const isSmall = tensor.data_location !== 1 && countOf(tensor) <= smallElements;
    if (isSmall) small.push(tensor);
    else {
      weights.push({
        name: tensor.name ?? '',
        elementType: tensor.data_type ?? 1,
        dims: dimsOf(tensor),
      });
    }
  }
  const initialized = new Set((model.graph.initializer ?? []).map((tensor) => tensor.name));
  const nodes = (model.graph.node ?? []).filter(
    (node) => !(node.output ?? []).every((name) => !name || constants.has(name)),
  );
  const graph: GraphProto = {
    name: 'stub',
    node: nodes,
    initializer: [...small, ...constants.values()],
    input: [...ports.filter((port) => !initialized.has(port.name)), ...weights].map(portOf),
    output: outputsOf(nodes).map((name) => ({ name })),
  };
  return { proto: { ...model.proto, graph }, graph };
}

const outputsOf = (nodes: readonly NodeProto[]): string[] =>
  nodes.flatMap((node) => (node.output ?? []).filter((name) => name !== ''));

/** Lets ONNX Runtime fold constants and reads the small ones back. */
async function foldConstants(stub: {
  readonly proto: OnnxModel['proto'];
  readonly graph: GraphProto;
}): Promise<Map<string, TensorProto>> {
  const known = new Set(stub.graph.initializer!.map((tensor) => tensor.name));
  const wanted = new Set(outputsOf(stub.graph.node!));
  const folder = await mkdtemp(join(tmpdir(), 'patch-oracle-'));
  try {
    const file = join(folder, 'folded.onnx');
    const session = await openStub(encodeModel(stub.proto), {
      optimization: 'basic',
      optimizedModelFile: file,
    });
    await session[Symbol.asyncDispose]();
    const folded = parseModel(await readFile(file));
    const found = new Map<string, TensorProto>();
    for (const tensor of folded.graph.initializer ?? []) {
      const name = tensor.name ?? '';
      const keep = wanted.has(name) && !known.has(name) && countOf(tensor) <= smallElements;
      if (keep) found.set(name, tensor);
    }
    return found;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readShapes(
  stub: { readonly proto: OnnxModel['proto']; readonly graph: GraphProto },
  ports: readonly Axes[],
  original: GraphProto,
): Promise<Omit<Oracle, 'constants'>> {
  const shapes = new Map<string, readonly number[]>();
  const types = new Map<string, number>();
  for (const tensor of [...(original.initializer ?? []), ...stub.graph.initializer!]) {
    shapes.set(tensor.name ?? '', dimsOf(tensor));
    types.set(tensor.name ?? '', tensor.data_type ?? 0);
  }
  for (const port of ports) {
    shapes.set(port.name, port.dims as number[]);
    types.set(port.name, port.elementType);
  }
  await using session = await openStub(encodeModel(stub.proto), { optimization: 'disabled' });
  for (const port of session.outputs) {
    shapes.set(
      port.name,
      port.dims.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : -1)),
    );
    types.set(port.name, elementTypes[port.type as ElementType] ?? 0);
  }
  return { shapes, types };
}

function readConstants(
  graph: GraphProto,
  folded: ReadonlyMap<string, TensorProto>,
): Map<string, Constant> {
  const constants = new Map<string, Constant>();
  const add = (name: string, tensor: TensorProto): void => {
    const values = valuesOf(tensor);
    if (values) constants.set(name, { dims: dimsOf(tensor), values });
  };
  for (const tensor of graph.initializer ?? []) {
    if (countOf(tensor) <= smallElements) add(tensor.name ?? '', tensor);
  }
  for (const [name, tensor] of folded) add(name, tensor);
  return constants;
}

async function openStub(
  bytes: Uint8Array,
  options: Parameters<typeof Session.open>[1],
): Promise<Session> {
  try {
    return await Session.open(bytes, options);
  } catch (cause) {
    throw new PcppError(
      'E_GRAPH',
      `ONNX Runtime refuses the graph at this size: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
}
