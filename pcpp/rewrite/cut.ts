// Before: one graph, whose stages wait for what others say in between
// After:  one graph for each stage; a later one reads what an earlier one made as an input of the same name
//
// Views are made where they are read: what is handed over is then mostly a value of the model's own, of a known shape.

import type { GraphProto, NodeProto, ValueInfoProto } from '../onnx/messages.js';
import { checkGraph } from './check.js';
import { sortAndPrune } from './prune.js';
import { sitePorts } from './site-ports.js';

/**
 * @param graph With the ports of `stages` exchanges. Stage k reads what the exchange before it told.
 * @param declare A value that is neither input nor output of the whole, as what goes from stage to stage.
 */
export function cutStages(
  graph: GraphProto,
  stages: number,
  declare: (value: string) => ValueInfoProto,
): readonly GraphProto[] {
  const homes = homesOf(graph, stages);
  const declared = new Map(
    [...(graph.input ?? []), ...(graph.output ?? [])].map((port) => [port.name ?? '', port]),
  );
  const given = new Set((graph.input ?? []).map((port) => port.name));
  const infoOf = (name: string): ValueInfoProto => declared.get(name) ?? declare(name);
  const producers = new Map(
    (graph.node ?? []).flatMap((node) => (node.output ?? []).map((name) => [name, node] as const)),
  );
  const wanted = stageOutputs(graph, homes, producers, stages);
  const cut: GraphProto[] = [];
  // From the last one back: what it lacks, an earlier one must hand over.
  for (let stage = stages - 1; stage >= 0; stage--) {
    const here = (graph.node ?? []).filter((node) => {
      const home = homes.get(node);
      return home === undefined || home === stage || (home < stage && isView(node));
    });
    const outputs = [...wanted[stage]!];
    const { nodes, initializers } = sortAndPrune(here, graph.initializer ?? [], outputs);
    const inputs = openValues(
      nodes,
      initializers.map(({ name }) => name ?? ''),
    );
    for (const name of inputs) {
      if (!given.has(name)) wanted[homes.get(producers.get(name)!)!]!.add(name);
    }
    cut.unshift({
      ...graph,
      node: nodes,
      initializer: initializers,
      input: inputs.map(infoOf),
      output: outputs.map(infoOf),
    });
  }
  for (const part of cut) checkGraph(part);
  return cut;
}

/** By node its stage; undefined if it is made of weights alone, and may be wherever it is read. */
function homesOf(graph: GraphProto, stages: number): ReadonlyMap<NodeProto, number | undefined> {
  const values = new Map<string, number>();
  for (const { name } of graph.input ?? []) values.set(name ?? '', 0);
  for (let stage = 0; stage < stages; stage++) {
    const { bordersIn, inSizes, edgeMasks, maskSizes, gnB, cuts, cutSizes } = sitePorts(stage);
    for (const name of [bordersIn, inSizes, edgeMasks, maskSizes, gnB]) {
      // After the last stage comes the first of the next run.
      values.set(name, (stage + 1) % stages);
    }
    for (const name of [cuts, cutSizes]) values.set(name, stage);
  }
  const homes = new Map<NodeProto, number | undefined>();
  for (const node of graph.node ?? []) {
    const read = (node.input ?? []).flatMap((name) => values.get(name) ?? []);
    const home = read.length > 0 ? Math.max(...read) : undefined;
    homes.set(node, home);
    if (home !== undefined) for (const name of node.output ?? []) values.set(name, home);
  }
  return homes;
}

/** What leaves after each stage: what it tells, and of the model's own outputs those that are ready. */
function stageOutputs(
  graph: GraphProto,
  homes: ReadonlyMap<NodeProto, number | undefined>,
  producers: ReadonlyMap<string, NodeProto>,
  stages: number,
): Set<string>[] {
  const wanted = Array.from({ length: stages }, () => new Set<string>());
  const told = new Map<string, number>();
  for (let stage = 0; stage < stages; stage++) {
    const { bordersOut, gnRows } = sitePorts(stage);
    for (const name of [bordersOut, gnRows]) told.set(name, stage);
  }
  for (const port of graph.output ?? []) {
    const name = port.name ?? '';
    wanted[told.get(name) ?? homes.get(producers.get(name)!) ?? 0]!.add(name);
  }
  return wanted;
}

/** A reshape to a shape that is given. */
const isView = (node: NodeProto): boolean => node.op_type === 'Reshape';

/** What these nodes read and neither they nor the initializers make. */
function openValues(nodes: readonly NodeProto[], initialized: readonly string[]): string[] {
  const made = new Set([...initialized, ...nodes.flatMap((node) => node.output ?? [])]);
  const read = nodes.flatMap((node) => node.input ?? []);
  return [...new Set(read)].filter((name) => name && !made.has(name));
}
