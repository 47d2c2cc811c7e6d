/** Values of a border as bytes and back, in the codings of partition/wire.ts. What is decoded is the same on every machine. */

import { largestHalf, packHalves, unpackHalves } from '../half.js';
import type { WireLayout } from '../partition/wire.js';

/** Largest integers of the codings; the most negative one is not used. */
const limits = { int8: 127, int4: 7 } as const;

/** @param out The message, as many bytes as the layout says; `values` go behind header and exact part. */
export function encodeValues(layout: WireLayout, values: Float32Array, out: Uint8Array): void {
  const { coding, start, scales, codes } = partsOf(layout, out);
  switch (coding) {
    case 'fp32':
      new Float32Array(out.buffer, start, values.length).set(values);
      return;
    case 'fp16':
      // A border is better too small than infinite.
      packHalves(values, new Uint16Array(out.buffer, start, values.length), largestHalf);
      return;
    case 'int8':
    case 'int4':
      quantise(layout, coding, values, scales, codes);
  }
}

/** @param add To what is in `values` already; otherwise in its place. */
export function decodeValues(
  layout: WireLayout,
  message: Uint8Array,
  values: Float32Array,
  add: boolean,
): void {
  const { coding, start, scales, codes } = partsOf(layout, message);
  switch (coding) {
    case 'fp32':
      values.set(new Float32Array(message.buffer, start, values.length));
      return;
    case 'fp16':
      unpackHalves(new Uint16Array(message.buffer, start, values.length), values);
      return;
    case 'int8':
    case 'int4': {
      const isWide = coding === 'int8';
      const factors = new Float32Array(scales.length);
      unpackHalves(scales, factors);
      let at = 0;
      let scale = 0;
      for (const { length, block } of layout.runs) {
        for (let end = at + length; at < end; scale++) {
          const factor = factors[scale]!;
          for (const blockEnd = at + block; at < blockEnd; at++) {
            const code = isWide
              ? (codes[at]! << 24) >> 24
              : ((codes[at >> 1]! >> (4 * (at & 1))) & 15) - 8;
            values[at] = (add ? values[at]! : 0) + code * factor;
          }
        }
      }
    }
  }
}

interface Parts {
  readonly coding: WireLayout['coding'];
  /** Where in the buffer what is rounded begins. */
  readonly start: number;
  readonly scales: Uint16Array;
  readonly codes: Uint8Array;
}

function partsOf(layout: WireLayout, message: Uint8Array): Parts {
  const { coding, header, exact, scales } = layout;
  const start = message.byteOffset + header + 4 * exact;
  return {
    coding,
    start,
    scales: new Uint16Array(message.buffer, start, scales),
    codes: message.subarray(header + 4 * exact + 2 * scales),
  };
}

function quantise(
  { runs }: WireLayout,
  coding: keyof typeof limits,
  values: Float32Array,
  scales: Uint16Array,
  codes: Uint8Array,
): void {
  const limit = limits[coding];
  const isWide = coding === 'int8';
  const factor = new Float32Array(1);
  let at = 0;
  let scale = 0;
  for (const { length, block } of runs) {
    for (let end = at + length; at < end; scale++) {
      const blockEnd = at + block;
      factor[0] = largest(values, at, blockEnd) / limit;
      const bits = scales.subarray(scale, scale + 1);
      packHalves(factor, bits, largestHalf);
      // Of the scale that the reader will see.
      unpackHalves(bits, factor);
      const inverse = factor[0]! > 0 ? 1 / factor[0]! : 0;
      for (; at < blockEnd; at++) {
        // Math.round takes three times as long; a scale that was rounded down may lead beyond the limit.
        const rounded = Math.trunc(values[at]! * inverse + 1024.5) - 1024;
        const code = rounded > limit ? limit : Math.max(rounded, -limit);
        if (isWide) codes[at] = code;
        else codes[at >> 1]! |= (code + 8) << (4 * (at & 1));
      }
    }
  }
}

function largest(values: Float32Array, from: number, to: number): number {
  let most = 0;
  for (let index = from; index < to; index++) {
    const magnitude = Math.abs(values[index]!);
    if (magnitude > most) most = magnitude;
  }
  return most;
}
