/**
 * Writes the universal patch graph: the model's own nodes, with borders joined in and cut out at every site.
 *
 * Extra inputs, in site order, so that the host can address everything by the manifest:
 *   borders_in f32[*]            for each border site its nodes' blocks before, then its nodes' blocks after
 *   in_sizes   i64[2 * nodes]    elements of these blocks; 0 is allowed
 *   edge_masks f32[*]            for each border site that is normalized its rows before, then its rows after: 0 outside the
 *                                image, 1 within
 *   mask_sizes i64[2 * sites]    rows of these
 *   cuts       i64[*]            what to publish, for each site that is not fresh and each of its `pickedOuters`:
 *                                o * positions + position of two slices for every outer element o, up first
 *   cut_sizes  i64[*]            how many positions each of these picks
 *   gn_a       f32[1], gn_b f32[sum of N * groups * 2]   moments used = gn_a * own + gn_b
 *   row_span   i64[3]            where tables or a text beside the image need it: first own latent row, the one after the
 *                                last, rows of the whole image
 * Extra outputs:
 *   borders_out f32[*]           for each site that is not fresh and each of its nodes the two slices
 *   gn_rows     f32[*]           for each norm of each site E[x] and then E[x^2] of every row: 2 * [N, groups, rows]
 *
 * In a graph of stages there is one of each for every exchange, but for gn_a and row_span.
 */

import type { ModelProto, NodeProto } from '../onnx/messages.js';
import { portOf } from '../onnx/model.js';
import { checkGraph } from './check.js';
import { beginEmission, type Emission } from './emission.js';
import { joinAttention, joinBorders, joinNormalized, withRowPads } from './emit-borders.js';
import { channelMoments } from './emit-moments.js';
import { affineTail, emitNorm } from './emit-norm.js';
import { castPorts, emitOutputs, inputsOf, writingOrder } from './emit-ports.js';
import { sortAndPrune } from './prune.js';
import type { Edit } from './rule.js';
import type { Exchange, GraphForm } from './site-groups.js';
import { type GraphSites, lcm, levelOf } from './sites.js';
import type { Trace } from './trace.js';

export interface Emitted {
  readonly model: ModelProto;
  /** By exchange: one, or one for each stage. */
  readonly sites: readonly GraphSites[];
}

/** @throws PcppError `E_GRAPH` if the model uses names that are ours. */
export function emitPatchGraph(trace: Trace, form: GraphForm): Emitted {
  const { model, ports } = trace;
  const emission = beginEmission(trace, form);
  castPorts(emission, ports);
  for (const node of trace.found.view.nodes) {
    if (!emission.done.has(node)) emitNode(emission, node);
  }
  const outputs = emitOutputs(emission);
  const { nodes, initializers } = sortAndPrune(
    emission.builder.nodes,
    [...(model.graph.initializer ?? []), ...emission.builder.initializers],
    writingOrder(emission, outputs),
  );
  const graph = {
    ...model.graph,
    node: nodes,
    initializer: initializers,
    input: inputsOf(trace, emission, nodes).map(portOf),
    output: outputs.map(portOf),
    value_info: [],
  };
  checkGraph(graph);
  return {
    sites: emission.exchanges.map((exchange) => sitesOf(emission, exchange, trace)),
    model: { ...model.proto, graph },
  };
}

function emitNode(emission: Emission, node: NodeProto): void {
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
    case 'expand':
      builder.op('Expand', [inputs[0]!, builder.int64(edit.shape)], {}, node.output![0]!);
      return;
    case 'transpose':
      builder.op('Transpose', [inputs[0]!], { perm: edit.order }, node.output![0]!);
      return;
    case 'shape':
      emission.span.shape(edit, node);
      return;
    case 'table': {
      for (const { index, axis } of edit.operands) {
        inputs[index] = emission.span.tableRows(inputs[index]!, axis, edit);
      }
      builder.nodes.push({ ...node, input: inputs });
      return;
    }
    case 'part':
      for (const [index, part] of edit.parts.entries()) {
        emission.span.part(inputs[0]!, edit, part, node.output![index]!);
      }
      return;
    case 'conv': {
      const [port] = emission.ports.get(node)!;
      inputs[0] = port!.member.normJoint
        ? joinNormalized(emission, port!, port!.member.normJoint, inputs[0]!)
        : joinBorders(emission, port!, inputs[0]!);
      builder.nodes.push({ ...node, input: inputs, attribute: withRowPads(node, edit.pads) });
      return;
    }
    case 'attention': {
      for (const port of emission.ports.get(node) ?? []) {
        joinAttention(emission, port, port.member.joint!);
      }
      const operands = emission.operands.get(node)!;
      const input = inputs.map((name, index) => operands.get(index) ?? name);
      builder.nodes.push({ ...node, input });
      return;
    }
    case 'norm':
      emitNormSite(emission, { ...node, input: inputs }, node, edit);
  }
}

function emitNormSite(
  emission: Emission,
  renamed: NodeProto,
  node: NodeProto,
  edit: Extract<Edit, { kind: 'norm' }>,
): void {
  const { builder, oracle, found, batch } = emission;
  const tail = affineTail(found, oracle, node, edit);
  for (const absorbed of tail?.nodes ?? []) emission.done.add(absorbed);
  const emitted = emitNorm(builder, {
    node: renamed,
    edit: { ...edit, source: emission.renamed.get(edit.source) ?? edit.source },
    batch,
    type: oracle.types.get(edit.source)!,
    moments: channelMoments(emission, edit.source, edit.channels, edit.width),
    weights: emission.weights,
    terms: emission.terms.get(node)!,
    tail,
  });
  emission.norms.set(node, emitted);
}

function sitesOf(emission: Emission, exchange: Exchange, { latent, grid }: Trace): GraphSites {
  const { batch, width, height } = grid;
  const { channels, onlyHeight } = latent;
  const borders = exchange.borders.map(({ site }) => site);
  const norms = exchange.norms.map(({ site }) => site);
  const levels = [...emission.found.tags.values()].map(({ rows }) => levelOf(rows, height));
  const downsampling = levels.reduce((units, { over }) => lcm(units, over), 1);
  const hasTables = [...emission.found.edits.values()].some(({ kind }) => kind === 'table');
  const only = hasTables && onlyHeight !== undefined ? { onlyHeight } : {};
  return { batch, channels, width, downsampling, ...only, borders, norms };
}
