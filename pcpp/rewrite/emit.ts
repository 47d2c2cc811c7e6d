/**
 * Writes the universal patch graph: the model's own nodes, with borders joined in and cut out at every site.
 *
 * Extra inputs, in site order, so that the host can address everything by the manifest:
 *   borders_in f32[*]            for each border site its block before, then its block after
 *   in_sizes   i64[2 * borders]  elements of these blocks; 0 is allowed
 *   cuts       i64[4 * sent]     start and end of the two slices to publish, for each site that is not fresh
 *   gn_a       f32[1], gn_b f32[sum of N * groups * 2]   moments used = gn_a * own + gn_b
 * Extra outputs:
 *   borders_out f32[*]           the slices, in the same order
 *   gn_rows     f32[*]           for each norm site E[x] and then E[x^2] of every row: 2 * [N, groups, rows]
 */

import { GraphBuilder } from '../onnx/builder.js';
import {
  type AttributeProto,
  elementTypes,
  type ModelProto,
  type NodeProto,
} from '../onnx/messages.js';
import { type Axes, axesOf, type OnnxModel, portOf } from '../onnx/model.js';
import type { Oracle } from '../onnx/oracle.js';
import { type AffineTail, affineTail, emitNorm } from './emit-norm.js';
import type { Propagation } from './propagate.js';
import { sortAndPrune } from './prune.js';
import type { Edit } from './rule.js';
import { type GraphSites, lcm, levelOf, type NormSite, type Site } from './sites.js';
import { product, type RowTag } from './tags.js';

/** The name of the open row axis. */
export const rowsAxis = 'rows';

export interface Emitted {
  readonly model: ModelProto;
  readonly sites: GraphSites;
}

interface Emission {
  readonly builder: GraphBuilder;
  readonly found: Propagation;
  readonly oracle: Oracle;
  readonly height: number;
  readonly borders: Site[];
  readonly norms: NormSite[];
  readonly blocks: string[];
  readonly cuts: string[];
  readonly gnTerms: string[];
  readonly published: string[];
  readonly moments: string[];
  /** Model values under their new names: half-precision ports become float32 outside. */
  readonly renamed: Map<string, string>;
  /** Nodes whose work another emission has done. */
  readonly done: Set<NodeProto>;
}

/** @param ports The model's inputs as the oracle saw them. */
export function emitPatchGraph(
  model: OnnxModel,
  oracle: Oracle,
  found: Propagation,
  ports: readonly Axes[],
  sample: string,
): Emitted {
  const height = oracle.shapes.get(sample)![2]!;
  const borderCount = [...found.edits.values()].reduce((sum, edit) => sum + bordersIn(edit), 0);
  const sentCount = [...found.edits.values()].reduce(
    (sum, edit) => sum + (isFresh(edit) ? 0 : bordersIn(edit)),
    0,
  );
  const normCount = [...found.edits.values()].filter((edit) => edit.kind === 'norm').length;
  const builder = new GraphBuilder(model.opset);
  const emission: Emission = {
    builder,
    found,
    oracle,
    height,
    borders: [],
    norms: [],
    blocks: borderCount ? builder.splitBy('borders_in', 'in_sizes', 2 * borderCount) : [],
    cuts: sentCount
      ? builder.splitBy('cuts', builder.int64(Array(4 * sentCount).fill(1)), 4 * sentCount)
      : [],
    gnTerms: [],
    published: [],
    moments: [],
    renamed: new Map(),
    done: new Set(),
  };
  if (normCount) {
    const lengths = found.view.nodes.flatMap((node) =>
      normLength(found.edits.get(node), ports, sample),
    );
    emission.gnTerms.push(...builder.splitBy('gn_b', builder.int64(lengths), normCount));
  }
  castPorts(emission, ports);
  for (const node of found.view.nodes) emitNode(emission, node);
  const outputs = emitOutputs(emission);
  return {
    sites: sitesOf(emission, ports, sample),
    model: assemble(model, emission, ports, sample, outputs),
  };
}

const bordersIn = (edit: Edit): number =>
  edit.kind === 'conv' ? 1 : edit.kind === 'attention' ? edit.operands.length : 0;

const isFresh = (edit: Edit): boolean => edit.kind === 'conv' && edit.fresh;

const normLength = (edit: Edit | undefined, ports: readonly Axes[], sample: string): number[] =>
  edit?.kind === 'norm' ? [batchOf(ports, sample) * edit.groups * 2] : [];

const batchOf = (ports: readonly Axes[], sample: string): number =>
  ports.find((port) => port.name === sample)!.dims[0] as number;

/** Half-precision inputs are fed as float32 and converted inside. */
function castPorts({ builder, renamed }: Emission, ports: readonly Axes[]): void {
  for (const port of ports) {
    if (port.elementType !== elementTypes.float16) continue;
    renamed.set(port.name, builder.cast(port.name, elementTypes.float16));
  }
}

function emitNode(emission: Emission, node: NodeProto): void {
  if (emission.done.has(node)) return;
  const edit = emission.found.edits.get(node);
  const inputs = (node.input ?? []).map((name) => emission.renamed.get(name) ?? name);
  const { builder } = emission;
  switch (edit?.kind) {
    case undefined:
      builder.nodes.push({ ...node, input: inputs });
      return;
    case 'reshape':
      builder.reshape(inputs[0]!, edit.shape, node.output![0]!);
      return;
    case 'resize': {
      const scales = builder.floats(edit.scales);
      builder.nodes.push({ ...node, input: [inputs[0]!, '', scales] });
      return;
    }
    case 'conv':
      inputs[0] = joinBorders(emission, node, 0, inputs[0]!, edit);
      builder.nodes.push({ ...node, input: inputs, attribute: withRowPads(node, edit.pads) });
      return;
    case 'attention':
      for (const operand of edit.operands) {
        inputs[operand] = joinBorders(emission, node, operand, inputs[operand]!, edit);
      }
      builder.nodes.push({ ...node, input: inputs });
      return;
    case 'norm': {
      const tail: AffineTail | undefined = affineTail(emission.found.view, node, edit);
      for (const absorbed of tail?.nodes ?? []) emission.done.add(absorbed);
      const batch = emission.oracle.shapes.get(edit.source)![0]!;
      const type = emission.oracle.types.get(edit.source)!;
      const id = emission.norms.length;
      const tag = emission.found.tags.get(edit.source) as RowTag;
      const site = {
        id,
        node: node.name ?? '',
        level: levelOf(tag.rows, emission.height),
        groups: edit.groups,
      };
      emission.norms.push(site);
      emission.moments.push(
        emitNorm(builder, {
          node: { ...node, input: inputs },
          edit: { ...edit, source: emission.renamed.get(edit.source) ?? edit.source },
          batch,
          type,
          terms: emission.gnTerms[id]!,
          tail,
        }),
      );
    }
  }
}

/** Zero padding of rows comes from the host: columns keep theirs. */
function withRowPads(node: NodeProto, pads: readonly number[]): AttributeProto[] {
  const others = (node.attribute ?? []).filter(
    (entry) => entry.name !== 'pads' && entry.name !== 'auto_pad',
  );
  return [...others, { name: 'pads', type: 7, ints: [0, pads[1]!, 0, pads[3]!] }];
}

/** Registers a border site at one operand and returns the operand with its borders joined on. */
function joinBorders(
  emission: Emission,
  node: NodeProto,
  operand: number,
  value: string,
  edit: Edit,
): string {
  const { builder, oracle, found, height } = emission;
  const name = node.input![operand]!;
  const dims = oracle.shapes.get(name)!;
  const tag = found.tags.get(name) as RowTag;
  const type = oracle.types.get(name)!;
  const id = emission.borders.length;
  const common = {
    id,
    node: `${node.name || node.output![0]}${edit.kind === 'attention' ? `:${operand}` : ''}`,
    level: levelOf(tag.rows, height),
    outer: product(dims.slice(0, tag.axis)),
    inner: tag.inner,
    rowSize: tag.inner * product(dims.slice(tag.axis + 1)),
  };
  if (edit.kind === 'conv') {
    const outTag = found.tags.get(node.output![0]!) as RowTag;
    emission.borders.push({
      ...common,
      kind: 'conv',
      outLevel: levelOf(outTag.rows, height),
      kernel: edit.kernel,
      stride: edit.stride,
      dilation: edit.dilation,
      padTop: edit.pads[0],
      padBottom: edit.pads[2],
      fresh: edit.fresh,
    });
  } else emission.borders.push({ ...common, kind: 'attention' });
  const open = dims.map((dim, axis) => (axis === tag.axis ? -1 : dim));
  const [before, after] = [2 * id, 2 * id + 1].map((block) =>
    builder.casted(builder.reshape(emission.blocks[block]!, open), elementTypes.float32, type),
  );
  if (!isFresh(edit)) publish(emission, value, tag.axis, type);
  return builder.concat([before!, value, after!], tag.axis);
}

function publish(emission: Emission, value: string, axis: number, type: number): void {
  const { builder, cuts, published } = emission;
  const first = 2 * published.length;
  for (const offset of [0, 2]) {
    const cut = builder.slice(value, cuts[first + offset]!, cuts[first + offset + 1]!, axis);
    published.push(builder.casted(builder.reshape(cut, [-1]), type, elementTypes.float32));
  }
}

/** Joins what was published and gives the model's own outputs their float32 form. */
function emitOutputs(emission: Emission): Axes[] {
  const { builder, found, oracle } = emission;
  const outputs: Axes[] = [];
  for (const name of found.view.outputs) {
    const tag = found.tags.get(name);
    const dims: (number | string)[] = [...oracle.shapes.get(name)!];
    if (tag?.kind === 'rows') dims[tag.axis] = rowsAxis;
    if (oracle.types.get(name) === elementTypes.float16) {
      const half = builder.name('half');
      for (const node of builder.nodes) {
        node.output = node.output!.map((output) => (output === name ? half : output));
        node.input = node.input!.map((input) => (input === name ? half : input));
      }
      builder.cast(half, elementTypes.float32, name);
    }
    outputs.push({ name, elementType: elementTypes.float32, dims });
  }
  const flat = (name: string, values: readonly string[]): void => {
    if (values.length === 0) return;
    builder.concat(values, 0, name);
    outputs.push({ name, elementType: elementTypes.float32, dims: [`${name}_elements`] });
  };
  flat('borders_out', emission.published);
  flat('gn_rows', emission.moments);
  return outputs;
}

function sitesOf(emission: Emission, ports: readonly Axes[], sample: string): GraphSites {
  const [batch, channels, , width] = ports.find((port) => port.name === sample)!.dims as number[];
  const levels = [...emission.borders, ...emission.norms].map((site) => site.level);
  const downsampling = levels.reduce((all, level) => lcm(all, level.over), 1);
  return {
    batch: batch!,
    channels: channels!,
    width: width!,
    downsampling,
    borders: emission.borders,
    norms: emission.norms,
  };
}

function assemble(
  model: OnnxModel,
  emission: Emission,
  ports: readonly Axes[],
  sample: string,
  outputs: readonly Axes[],
): ModelProto {
  const { builder, borders, norms } = emission;
  const sent = borders.filter((site) => !(site.kind === 'conv' && site.fresh)).length;
  const originals = new Map((model.graph.input ?? []).map(axesOf).map((port) => [port.name, port]));
  const inputs: Axes[] = ports.map((port) => ({
    name: port.name,
    elementType:
      port.elementType === elementTypes.float16 ? elementTypes.float32 : port.elementType,
    // Axes that are neither batch nor width, the prompt's length, stay as open as the model has them.
    dims: port.dims.map((dim, axis) =>
      openAxis(port, axis, dim, originals.get(port.name)?.dims[axis], sample),
    ),
  }));
  const { float32, int64 } = elementTypes;
  if (borders.length) {
    inputs.push({ name: 'borders_in', elementType: float32, dims: ['border_elements'] });
    inputs.push({ name: 'in_sizes', elementType: int64, dims: [2 * borders.length] });
  }
  if (sent) inputs.push({ name: 'cuts', elementType: int64, dims: [4 * sent] });
  if (norms.length) {
    const batch = batchOf(ports, sample);
    inputs.push({ name: 'gn_a', elementType: float32, dims: [1] });
    inputs.push({
      name: 'gn_b',
      elementType: float32,
      dims: [norms.reduce((sum, site) => sum + batch * site.groups * 2, 0)],
    });
  }
  const { nodes, initializers } = sortAndPrune(
    builder.nodes,
    [...(model.graph.initializer ?? []), ...builder.initializers],
    outputs.map((port) => port.name),
  );
  return {
    ...model.proto,
    graph: {
      ...model.graph,
      node: nodes,
      initializer: initializers,
      input: inputs.map(portOf),
      output: outputs.map(portOf),
      value_info: [],
    },
  };
}

function openAxis(
  port: Axes,
  axis: number,
  dim: number | string,
  original: number | string | undefined,
  sample: string,
): number | string {
  if (port.name === sample) return axis === 2 ? rowsAxis : dim;
  return axis > 0 && typeof original === 'string' ? original : dim;
}
