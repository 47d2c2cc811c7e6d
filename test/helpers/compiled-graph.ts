/** Patch graphs of one test file, compiled once for each width, batch and payload: a graph serves every height. */

import {
  compilePatchGraph,
  type PatchGraph,
  type PatchGraphShape,
} from '../../pcpp/rewrite/compile.js';

const graphs = new Map<string, Promise<PatchGraph>>();

export function compiledGraph(file: string, shape: PatchGraphShape): Promise<PatchGraph> {
  const key = `${file} ${shape.width} ${shape.batch} ${shape.payload}`;
  const graph = graphs.get(key) ?? compilePatchGraph(file, shape);
  graphs.set(key, graph);
  return graph;
}
