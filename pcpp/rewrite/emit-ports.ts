/** Inputs and outputs of a patch graph: the model's own, always float32 outside, and those of the sites. */

import { elementTypes, type NodeProto } from '../onnx/messages.js';
import { type Axes, axesOf } from '../onnx/model.js';
import { type Emission, isNormalized, isSent } from './emission.js';
import { ownShare, rowSpan } from './site-ports.js';
import { pickedOuters } from './sites.js';
import type { Trace } from './trace.js';

/** The name of the open row axis. */
const rowsAxis = 'rows';

/** Half-precision inputs are fed as float32 and converted inside. */
export function castPorts({ builder, renamed }: Emission, ports: readonly Axes[]): void {
  for (const port of ports) {
    if (port.elementType !== elementTypes.float16) continue;
    renamed.set(port.name, builder.cast(port.name, elementTypes.float16));
  }
}

/** Joins what was published and gives the model's own outputs their float32 form. */
export function emitOutputs(emission: Emission): Axes[] {
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
  for (const { names, borders, norms } of emission.exchanges) {
    flat(
      names.bordersOut,
      borders
        .filter(isSent)
        .flatMap(({ members }) => members.map((member) => emission.published.get(member)!)),
    );
    const moments = norms.map(({ members }) => {
      const values = members.map(({ node }) => emission.norms.get(node)!.rows);
      return builder.reshape(values.length === 1 ? values[0]! : builder.concat(values, 0), [-1]);
    });
    flat(names.gnRows, moments);
  }
  return outputs;
}

/**
 * Values in the order in which they are to be written. ONNX Runtime runs what it can in the reverse of this order: so
 * the rows of an activation are picked as soon as it is there. Otherwise they all are at the end, and keep every
 * activation in memory until then.
 */
export function writingOrder(emission: Emission, outputs: readonly Axes[]): string[] {
  const last = new Set(emission.exchanges.map(({ names }) => names.bordersOut));
  const names = outputs.map((port) => port.name);
  const picked = [...emission.published.values()].reverse();
  return [
    ...names.filter((name) => !last.has(name)),
    ...picked,
    ...names.filter((name) => last.has(name)),
  ];
}

/** @param nodes What is left of the graph. */
export function inputsOf(
  { model, ports, latent }: Trace,
  emission: Emission,
  nodes: readonly NodeProto[],
): Axes[] {
  const { exchanges, batch } = emission;
  const { float16, float32, int64 } = elementTypes;
  const originals = new Map((model.graph.input ?? []).map(axesOf).map((port) => [port.name, port]));
  const inputs: Axes[] = ports.map((port) => ({
    name: port.name,
    elementType: port.elementType === float16 ? float32 : port.elementType,
    dims: port.dims.map((dim, axis) => {
      const tag = emission.found.tags.get(port.name);
      if (tag?.kind === 'rows') return axis === tag.axis ? rowsAxis : dim;
      // What is neither batch nor width, the prompt's length, stays as open as the model has it; of timesteps there is one.
      const original = originals.get(port.name)?.dims[axis];
      const isOpen = typeof original === 'string' && original !== latent.axes.dims[0];
      return isOpen && port.dims.length > 1 ? original : dim;
    }),
  }));
  for (const { names, borders, norms } of exchanges) {
    if (borders.length) {
      const members = borders.reduce((sum, group) => sum + group.members.length, 0);
      inputs.push({ name: names.bordersIn, elementType: float32, dims: ['border_elements'] });
      inputs.push({ name: names.inSizes, elementType: int64, dims: [2 * members] });
    }
    const masked = borders.filter(isNormalized);
    if (masked.length) {
      inputs.push({ name: names.edgeMasks, elementType: float32, dims: ['edge_rows'] });
      inputs.push({ name: names.maskSizes, elementType: int64, dims: [2 * masked.length] });
    }
    const sent = borders.filter(isSent);
    if (sent.length) {
      const outers = sent.reduce((sum, { site }) => sum + pickedOuters(site).length, 0);
      inputs.push({ name: names.cuts, elementType: int64, dims: ['cut_rows'] });
      inputs.push({ name: names.cutSizes, elementType: int64, dims: [outers] });
    }
    if (norms.length) {
      const moments = norms.reduce((sum, { site }) => sum + 2 * batch * site.groups, 0);
      inputs.push({ name: names.gnB, elementType: float32, dims: [moments] });
    }
  }
  if (exchanges.some(({ norms }) => norms.length > 0)) {
    inputs.push({ name: ownShare, elementType: float32, dims: [1] });
  }
  if (nodes.some(({ input }) => input?.includes(rowSpan))) {
    inputs.push({ name: rowSpan, elementType: int64, dims: [3] });
  }
  return inputs;
}
