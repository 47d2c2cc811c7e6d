// Before: x
// After:  E[x] and E[x^2] over the columns of every row and channel. A value joined of others by channels has theirs: what
//         comes over a skip connection was normalised on its way down already.

import { intOf } from '../onnx/graph.js';
import { elementTypes } from '../onnx/messages.js';
import type { Emission } from './emission.js';

/** @returns Name of float32 [2 * N, channels, rows]: all of E[x], then all of E[x^2]. */
export function channelMoments(
  emission: Emission,
  value: string,
  channels: number,
  width: number,
): string {
  const known = emission.columnMoments.get(value);
  if (known) return known;
  const joined = joinedMoments(emission, value, width);
  const moments = joined ?? ownMoments(emission, value, channels, width);
  emission.columnMoments.set(value, moments);
  return moments;
}

/** Worth it only if a part is known: otherwise it is one pass in more pieces. */
function joinedMoments(emission: Emission, value: string, width: number): string | undefined {
  const { builder, found, oracle, columnMoments } = emission;
  const producer = found.view.producers.get(value);
  const parts = producer?.input ?? [];
  if (producer?.op_type !== 'Concat' || intOf(producer, 'axis') !== 1) return undefined;
  if (!parts.some((part) => columnMoments.has(part))) return undefined;
  const moments = parts.map((part) =>
    channelMoments(emission, part, oracle.shapes.get(part)![1]!, width),
  );
  return builder.concat(moments, 1);
}

function ownMoments(
  { builder, oracle, renamed, batch }: Emission,
  value: string,
  channels: number,
  width: number,
): string {
  const { float32 } = elementTypes;
  const shape = [1, batch * channels, -1, width];
  // ONNX Runtime leaves a product of reshaped values alone: that of convolution results it would take to its blocked
  // layout and back. Pow is slower still, and so are the reductions that square by themselves.
  const image = builder.reshape(renamed.get(value) ?? value, shape);
  // Squares of half-precision activations overflow: moments are float32 whatever the model is.
  const x = builder.casted(image, oracle.types.get(value)!, float32);
  const columns = [x, builder.op('Mul', [x, x])].map((part) => builder.reduceMean(part, [3]));
  return builder.reshape(builder.concat(columns, 0), [2 * batch, channels, -1]);
}
