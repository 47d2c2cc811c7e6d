/**
 * Tables: values without rows of their own that have one entry for every row of the image, such as position embeddings.
 * They are made of constants and of the image's size. A patch computes them for the whole image, as the model does, and
 * cuts out its own rows: a table cropped from the centre of a larger one depends on the whole height.
 */

import type { GraphView } from '../onnx/graph.js';
import type { NodeProto } from '../onnx/messages.js';

/** Everything that `table` is made of, up to shapes of other values. */
function* makersOf(view: GraphView, table: string): Generator<NodeProto | string> {
  const open = [table];
  const seen = new Set(open);
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const maker = view.producers.get(value);
    if (!maker) {
      if (!view.initializers.has(value)) yield value;
      continue;
    }
    yield maker;
    if (readsShapeOnly(maker)) continue;
    for (const name of maker.input ?? []) {
      if (name && !seen.has(name)) open.push(name);
      seen.add(name);
    }
  }
}

const readsShapeOnly = ({ op_type: op }: NodeProto): boolean => op === 'Shape' || op === 'Size';

/** Inputs of the graph whose values `table` depends on. */
export const inputsOfTable = (view: GraphView, table: string): string[] =>
  [...makersOf(view, table)].filter((maker) => typeof maker === 'string');

/** The operators that `table` learns the image's size from. */
export const shapesOfTable = (view: GraphView, table: string): NodeProto[] =>
  [...makersOf(view, table)].filter((maker) => typeof maker !== 'string').filter(readsShapeOnly);
