/** Turns tensors into what a graph's inputs want, and its outputs back into tensors. */

import { PcppError } from '../errors.js';
import { fromHalf, toHalf } from '../half.js';
import type { Port, Session, Value } from '../onnx/session.js';
import { sizeOf, type Tensor, tensor } from '../tensor.js';

/**
 * The values of `source` in the element type of the port. Integers are cut off, as ONNX's Cast does.
 *
 * @throws PcppError `E_MODEL_CONFIG` if the port has a type that no exporter gives a denoiser or encoder.
 */
export function feed(port: Port, source: Tensor): Value {
  const { dims, data } = source;
  switch (port.type) {
    case 'float32':
      return { type: 'float32', dims, data };
    case 'float16':
      return { type: 'float16', dims, data: toHalf(data) };
    case 'int64':
      return { type: 'int64', dims, data: BigInt64Array.from(data, (x) => BigInt(Math.trunc(x))) };
    case 'int32':
      return { type: 'int32', dims, data: Int32Array.from(data, Math.trunc) };
    default:
      throw new PcppError(
        'E_MODEL_CONFIG',
        `input ${port.name} wants ${port.type}, which is not supported`,
      );
  }
}

/** One number for a port of any rank, in each of its elements: exporters write [], [1] or one per batch row. */
export function feedScalar(port: Port, value: number): Value {
  const dims = port.dims.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1));
  return feed(port, tensor(dims, new Float32Array(sizeOf(dims)).fill(value)));
}

/** @throws PcppError `E_MODEL_CONFIG` if the graph has no such input. */
export function inputPort(session: Session, name: string): Port {
  const port = session.inputs.find((entry) => entry.name === name);
  if (port) return port;
  const names = session.inputs.map((entry) => entry.name).join(', ');
  throw new PcppError('E_MODEL_CONFIG', `the graph has no input ${name}; it has ${names}`);
}

/** @throws PcppError `E_MODEL_CONFIG` if the graph has no such floating-point output. */
export function floatOutput(outputs: Readonly<Record<string, Value>>, name: string): Tensor {
  const value = outputs[name];
  if (value?.type === 'float32') return tensor(value.dims, value.data);
  if (value?.type === 'float16') return tensor(value.dims, fromHalf(value.data));
  throw new PcppError(
    'E_MODEL_CONFIG',
    `the graph has no float output ${name}; it has ${Object.keys(outputs).join(', ')}`,
  );
}

/** @throws PcppError `E_SHAPE` if the tensor has another shape than the caller promises. */
export function requireShape(what: string, found: Tensor, dims: readonly number[]): void {
  if (found.dims.length !== dims.length || found.dims.some((size, axis) => size !== dims[axis])) {
    throw new PcppError(
      'E_SHAPE',
      `${what} must be [${dims}] (${sizeOf(dims)} values), got [${found.dims}]`,
    );
  }
}
