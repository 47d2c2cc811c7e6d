/**
 * The places of a graph where a patch needs something of other patches; operators of one geometry share one. Pure data:
 * plans and messages derive from it.
 */

import { PcppError } from '../errors.js';

/** A level's rows per latent row, as a reduced fraction: SD 1.5's deepest level is { times: 1, over: 8 }. */
export interface Level {
  readonly times: number;
  readonly over: number;
}

interface BorderSite {
  /** Position in `GraphSites.borders`. */
  readonly id: number;
  /** Names of the nodes in the original graph, in the order in which their rows lie side by side. */
  readonly nodes: readonly string[];
  readonly level: Level;
  /** By node, elements before the row axis: N * C of a convolution, N * heads (* D) of keys and values. */
  readonly outers: readonly number[];
  /** Their sum: a block is [outer, positions, size]. */
  readonly outer: number;
  /** Positions per row on the row axis: 1, or W tokens. */
  readonly inner: number;
  /** Elements of one position of one outer entry. */
  readonly size: number;
}

/** Convolutions over rows: they need the neighbours' adjacent input rows. */
export interface ConvSite extends BorderSite {
  readonly kind: 'conv';
  readonly outLevel: Level;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padTop: number;
  readonly padBottom: number;
  /** It reads the latent itself: its border rows are always of this step and come with the latent rows. */
  readonly fresh: boolean;
  /**
   * Rows travel as they are before a normalisation, and the receiver normalises them; those outside the image are zero after
   * that. Only in graphs of stages.
   */
  readonly normalized?: true;
}

/**
 * What travels of self-attention. `kv`: keys and values. `hidden`: the tensor that both are made of, from which the
 * receiver makes them itself; half as much.
 */
export type AttentionPayload = 'kv' | 'hidden';

export const attentionPayloads: readonly AttentionPayload[] = ['kv', 'hidden'];

/** Tokens of self-attention: they need other patches' tokens. */
export interface AttentionSite extends BorderSite {
  readonly kind: 'attention';
  readonly payload: AttentionPayload;
  /** Elements of the keys and values of one token, of all nodes and batch rows: more than what travels, or the same. */
  readonly keysAndValues: number;
  /** Of the layers that the graph was compiled to tell apart, those that its operators belong to. */
  readonly layers?: readonly string[];
}

/** Group normalisations of one level: they need every patch's moments. */
export interface NormSite {
  readonly id: number;
  /** Names of the nodes in the original graph. */
  readonly nodes: readonly string[];
  readonly level: Level;
  /** Groups of all nodes together. */
  readonly groups: number;
}

export type Site = ConvSite | AttentionSite;

export interface GraphSites {
  readonly batch: number;
  /** Channels of `sample`. */
  readonly channels: number;
  /** Latent columns this graph was compiled for. */
  readonly width: number;
  /** Latent rows must be a multiple of this, in every patch. */
  readonly downsampling: number;
  /** Latent rows of the only images that tables of the graph are for: the model was exported with this height. */
  readonly onlyHeight?: number;
  /** In the order of `borders_in` and `borders_out`: that of their first nodes. */
  readonly borders: readonly Site[];
  readonly norms: readonly NormSite[];
}

/** Different `outers` of a site: nodes that agree in theirs publish the same of [outer * positions, size]. */
export const pickedOuters = (site: Site): number[] => [...new Set(site.outers)];

/** @returns Rows of a level for a latent row index; an integer for every patch bound. */
export const rowsAt = (level: Level, latentRows: number): number =>
  (latentRows * level.times) / level.over;

export function levelOf(rows: number, latentRows: number): Level {
  const divisor = gcd(rows, latentRows);
  return { times: rows / divisor, over: latentRows / divisor };
}

export const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
export const lcm = (a: number, b: number): number => (a / gcd(a, b)) * b;

/** @throws PcppError `E_SIZE` naming the nearest sizes that work. */
export function checkSize(side: string, latent: number, downsampling: number): void {
  if (Number.isInteger(latent) && latent > 0 && latent % downsampling === 0) return;
  const below = Math.floor(latent / downsampling) * downsampling;
  const above = Math.max(downsampling, below + downsampling);
  const near = below > 0 ? `${below} or ${above}` : `${above}`;
  throw new PcppError(
    'E_SIZE',
    `latent ${side} ${latent} is not a multiple of ${downsampling}; the nearest that work: ${near}`,
  );
}
