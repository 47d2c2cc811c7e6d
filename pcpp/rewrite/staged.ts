/**
 * The patch graph in stages, for patches that read nothing but fresh values: each stage runs once the patches have told
 * each other what the stage before gave. Many small exchanges within a step, in the place of one between two steps.
 */

import { intOf, viewOf } from '../onnx/graph.js';
import { encodeModel, type ModelProto, type ValueInfoProto } from '../onnx/messages.js';
import { axesOf, loadModel, portOf } from '../onnx/model.js';
import { endsOf, type GraphEnds, type PatchGraphShape } from './compile.js';
import { cutStages } from './cut.js';
import { emitPatchGraph } from './emit.js';
import type { AttentionPayload, GraphSites } from './sites.js';
import { probeTokens, type Trace, traceRows } from './trace.js';

export interface StagedGraph extends GraphEnds {
  readonly stages: readonly GraphStage[];
  /** Of all exchanges together. */
  readonly sites: GraphSites;
}

export interface GraphStage {
  readonly bytes: Uint8Array;
  /** What is told after this stage; after the last one, rows of the latent for the next run. */
  readonly sites: GraphSites;
}

/**
 * @param file `model.onnx` of a denoiser or decoder.
 * @throws PcppError as `compilePatchGraph`.
 */
export async function compileStagedGraph(
  file: string,
  { payload, ...shape }: PatchGraphShape,
): Promise<StagedGraph> {
  return stagedGraphOf(await traceRows(await loadModel(file), shape), payload);
}

/** What is told after each stage, without making its graph. */
export const stagedSitesOf = (
  trace: Trace,
  payload: AttentionPayload = 'kv',
): readonly GraphSites[] => emitPatchGraph(trace, { payload, timing: 'staged' }).sites;

/** The same for a model that is traced already. */
export function stagedGraphOf(trace: Trace, payload: AttentionPayload = 'kv'): StagedGraph {
  const { model, sites } = emitPatchGraph(trace, { payload, timing: 'staged' });
  const parts = cutStages(model.graph!, sites.length, declare(trace, model));
  return {
    stages: parts.map((graph, stage) => ({
      bytes: encodeModel({ ...model, graph }),
      sites: sites[stage]!,
    })),
    sites: joinSites(sites),
    ...endsOf(trace),
  };
}

/** All exchanges of a step as one. Numbered anew: a site's id is its position. */
export function joinSites(stages: readonly GraphSites[]): GraphSites {
  const borders = stages.flatMap((stage) => stage.borders);
  const norms = stages.flatMap((stage) => stage.norms);
  return {
    ...stages[0]!,
    borders: borders.map((site, id) => ({ ...site, id })),
    norms: norms.map((site, id) => ({ ...site, id })),
  };
}

/** How a value is declared where it goes from one stage to another: what may differ from run to run is open. */
function declare({ oracle, found }: Trace, model: ModelProto): (value: string) => ValueInfoProto {
  const { producers } = viewOf(model.graph!);
  const given = new Map((model.graph!.input ?? []).map(axesOf).map((port) => [port.name, port]));
  const typeOf = (value: string): number => {
    const known = oracle.types.get(value) ?? given.get(value)?.elementType;
    if (known !== undefined) return known;
    // What we have added keeps the type of what it reads first.
    const producer = producers.get(value)!;
    return (producer.op_type === 'Cast' && intOf(producer, 'to')) || typeOf(producer.input![0]!);
  };
  return (name) => {
    const dims = oracle.shapes.get(name);
    const tag = found.tags.get(name);
    if (!dims) return { name, type: { tensor_type: { elem_type: typeOf(name) } } };
    const isOpen = (dim: number, axis: number): boolean =>
      dim < 0 ||
      dim === probeTokens ||
      (tag?.kind === 'rows' && (axis === tag.axis || axis === tag.key?.axis)) ||
      (tag?.kind === 'groups' && axis === dims.length - 1);
    return portOf({
      name,
      elementType: typeOf(name),
      dims: dims.map((dim, axis) => (isOpen(dim, axis) ? `${name}_${axis}` : dim)),
    });
  };
}
