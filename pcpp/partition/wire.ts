/**
 * How many bytes a message has on the wire, and how they lie in it. Integers only; both sides and the forecast read this.
 *
 *   header  4 x u32: kind, version, base version, 0      residual wires only
 *   exact   f32: moments and latent rows, never rounded: they are a thousandth of a message
 *   scales  f16: one for each block                      int8 and int4 only
 *   values  f32, f16, i8, or two i4 in a byte
 */

import { manifestOf, type Region } from './manifest.js';
import type { PatchPlan } from './plan.js';

/**
 * Precision of border rows and tokens. `int8` has a scale for every row or token. The residual ones send what has changed
 * since the version before, as both ends know it, so that what one message rounds off the next one makes up for.
 */
export type Wire = 'fp32' | 'fp16' | 'int8' | 'residual-int8' | 'residual-int4';

export const wires: readonly Wire[] = ['fp32', 'fp16', 'int8', 'residual-int8', 'residual-int4'];

/**
 * `steady`: what is sent step by step. `key`: the first message of a residual wire, which stands by itself. `repair`: what a
 * reader of residuals gets in the place of a lost one.
 */
export type FrameKind = 'steady' | 'key' | 'repair';

/** How the values of one frame are written. */
export type Coding = 'fp32' | 'fp16' | 'int8' | 'int4';

/** Equally long blocks of values, one after another, each with a scale of its own. */
export interface BlockRun {
  readonly length: number;
  readonly block: number;
}

export interface WireLayout {
  readonly coding: Coding;
  /** Bytes in front. */
  readonly header: number;
  /** Float32 values that are not rounded. */
  readonly exact: number;
  /** Values that are. */
  readonly values: number;
  readonly runs: readonly BlockRun[];
  /** Scales, two bytes each. */
  readonly scales: number;
  /** Of the whole message. */
  readonly bytes: number;
}

export const isResidual = (wire: Wire): boolean =>
  wire === 'residual-int8' || wire === 'residual-int4';

const headerBytes = 16;
/** Below this many values a scale of their own costs more than it gains: then a border's rows share theirs. */
const leastBlock = 16;

function codingOf(wire: Wire, kind: FrameKind): Coding {
  switch (wire) {
    case 'fp32':
    case 'fp16':
    case 'int8':
      return wire;
    case 'residual-int8':
    case 'residual-int4': {
      // A repair must give exactly what the sender stands on.
      const first = kind === 'key' ? 'fp16' : 'fp32';
      return kind !== 'steady' ? first : wire === 'residual-int8' ? 'int8' : 'int4';
    }
  }
}

export function wireLayoutOf(
  plan: PatchPlan,
  from: number,
  to: number,
  kind: FrameKind = 'steady',
): WireLayout {
  const { regions, length } = manifestOf(plan, from, to);
  const borders = regions.filter((region) => region.kind === 'border');
  const values = borders.reduce((sum, region) => sum + region.length, 0);
  const coding = codingOf(plan.wire, kind);
  const isScaled = coding === 'int8' || coding === 'int4';
  const runs = isScaled ? borders.map((region) => runOf(plan, region)) : [];
  const scales = runs.reduce((sum, run) => sum + run.length / run.block, 0);
  const header = isResidual(plan.wire) && length > 0 ? headerBytes : 0;
  const exact = length - values;
  const bytes = header + 4 * exact + 2 * scales + valueBytes(coding, values);
  return { coding, header, exact, values, runs, scales, bytes };
}

function runOf(plan: PatchPlan, region: Extract<Region, { kind: 'border' }>): BlockRun {
  const { size } = plan.sites.borders[region.site]!;
  const [from, to] = region.span;
  return { length: region.length, block: size < leastBlock ? (to - from) * size : size };
}

function valueBytes(coding: Coding, values: number): number {
  switch (coding) {
    case 'fp32':
      return 4 * values;
    case 'fp16':
      return 2 * values;
    case 'int8':
      return values;
    case 'int4':
      return Math.ceil(values / 2);
  }
}

/** @returns Exact payload bytes of one message. */
export const borderBytes = (
  plan: PatchPlan,
  from: number,
  to: number,
  kind: FrameKind = 'steady',
): number => wireLayoutOf(plan, from, to, kind).bytes;
