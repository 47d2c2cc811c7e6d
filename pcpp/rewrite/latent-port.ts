/** The input of a graph that the latent comes by: an image, or tokens of two rows and columns each. */

import { PcppError } from '../errors.js';
import { type Axes, axesOf, type OnnxModel } from '../onnx/model.js';
import type { RowTag } from './tags.js';

/** What a graph is traced for. */
export interface Grid {
  /** Latent rows, only to be checked: a traced graph takes any multiple of its downsampling, as far as its tables reach. */
  readonly height: number;
  /** Latent columns. */
  readonly width: number;
  /** Batch rows of one run: 2 with guidance. */
  readonly batch: number;
}

export interface LatentPort {
  readonly axes: Axes;
  /** Channels of the latent. */
  readonly channels: number;
  /** Latent rows, and columns, in a token; 1 where the latent comes as an image, [N, C, H, W]. */
  readonly packing: 1 | 2;
  /** Latent rows, if the model was exported for that many alone. */
  readonly onlyHeight?: number;
  /** Other inputs that have an entry for every token, such as where it is. */
  readonly beside: readonly { readonly name: string; readonly axis: number }[];
}

const packing = 2;

/** @throws PcppError `E_GRAPH` if no input is a latent. */
export function latentPortOf(model: OnnxModel): LatentPort {
  const ports = inputsOf(model);
  const image =
    ports.find((port) => port.name === 'sample') ?? ports.find((port) => port.dims.length === 4);
  if (image?.dims.length === 4) {
    const [, channels, height] = image.dims;
    const only = typeof height === 'number' ? { onlyHeight: height } : {};
    return { axes: image, channels: Number(channels), packing: 1, ...only, beside: [] };
  }
  return tokensOf(model, ports) ?? refuse(ports);
}

/** Inputs that are no weights. */
export function inputsOf({ graph }: OnnxModel): Axes[] {
  const initialized = new Set((graph.initializer ?? []).map(({ name }) => name));
  return (graph.input ?? []).map(axesOf).filter((port) => !initialized.has(port.name));
}

/** An input [N, L, D] whose L is open and is that of the output too. */
function tokensOf({ graph }: OnnxModel, ports: readonly Axes[]): LatentPort | undefined {
  const lengths = (graph.output ?? []).map(axesOf).map(({ dims }) => dims[1]);
  const axes = ports.find(
    ({ dims: [, length, features], ...port }) =>
      typeof length === 'string' &&
      typeof features === 'number' &&
      features % packing ** 2 === 0 &&
      lengths.includes(length) &&
      ports.some(({ name, dims }) => name !== port.name && dims.includes(length)),
  );
  if (!axes) return undefined;
  const [, length, features] = axes.dims;
  const beside = ports
    .filter(({ name, dims }) => name !== axes.name && dims.includes(length!))
    .map(({ name, dims }) => ({ name, axis: dims.indexOf(length!) }));
  return { axes, channels: Number(features) / packing ** 2, packing, beside };
}

function refuse(ports: readonly Axes[]): never {
  throw new PcppError(
    'E_GRAPH',
    `no input [N, C, H, W] among ${ports.map((port) => port.name).join(', ')}, and none [N, L, C] whose open L is that of the output and of token positions: only denoisers that read a latent are split; export it with dynamic axes`,
  );
}

/** What the axes of the latent are for a grid. */
export const latentDims = (
  { channels, packing: side }: LatentPort,
  { batch, height, width }: Grid,
): number[] =>
  side === 1
    ? [batch, channels, height, width]
    : [batch, (height / side) * (width / side), channels * side ** 2];

/** Tags of all inputs that have rows. */
export function inputTags(
  { axes, packing: side, beside }: LatentPort,
  { height, width }: Grid,
): ReadonlyMap<string, RowTag> {
  if (side === 1) {
    return new Map([[axes.name, { kind: 'rows', axis: 2, inner: 1, rows: height, raw: true }]]);
  }
  const tokens = { kind: 'rows', inner: width / side, rows: height / side } as const;
  return new Map([
    [axes.name, { ...tokens, axis: 1 }],
    ...beside.map(({ name, axis }) => [name, { ...tokens, axis }] as const),
  ]);
}
