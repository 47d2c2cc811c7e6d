/** Patch graphs of one test file, compiled once for each width, batch and payload: a graph serves every height. */

import { loadModel } from '../../pcpp/onnx/model.js';
import {
  compilePatchGraph,
  type PatchGraph,
  type PatchGraphShape,
  patchGraphOf,
} from '../../pcpp/rewrite/compile.js';
import { type StagedGraph, stagedGraphOf } from '../../pcpp/rewrite/staged.js';
import { traceRows } from '../../pcpp/rewrite/trace.js';

const graphs = new Map<string, Promise<PatchGraph>>();

export function compiledGraph(file: string, shape: PatchGraphShape): Promise<PatchGraph> {
  const key = `${file} ${shape.width} ${shape.batch} ${shape.payload}`;
  const graph = graphs.get(key) ?? compilePatchGraph(file, shape);
  graphs.set(key, graph);
  return graph;
}

/** Both forms of a graph. */
export async function bothForms(
  file: string,
  { payload, ...shape }: PatchGraphShape,
): Promise<{ readonly graph: PatchGraph; readonly staged: StagedGraph }> {
  const trace = await traceRows(await loadModel(file), shape);
  return { graph: patchGraphOf(trace, payload), staged: stagedGraphOf(trace, payload) };
}
