/**
 * From the last latent to pixels on the devices of a job. Each decodes its own rows, with as many rows around them as
 * their pixels depend on, so that nothing has to be exchanged and only finished pixels are gathered.
 */

import { type RgbImage, stackRows } from '../image/decode.js';
import type { DecoderReach, LatentSize } from '../image/decoder-reach.js';
import { type Strip, stripsOf } from '../partition/strips.js';
import type { Reach } from '../rewrite/reach.js';
import { type Tensor, takeRows } from '../tensor.js';

/** A device, as far as decoding is concerned. */
export interface DecodingDevice {
  readonly decoderReach: (size: LatentSize) => PromiseLike<DecoderReach>;
  /** @param keeps Pixel rows to return, of those that `latent` becomes. All when left out. */
  readonly decode: (
    latent: Tensor,
    keeps?: readonly [from: number, to: number],
  ) => PromiseLike<RgbImage>;
}

/** Who decodes what. */
export interface Decoding {
  /** One per device that decodes, from top to bottom; empty: the first one decodes the whole image. */
  readonly strips: readonly Strip[];
  /** Why several devices leave it to one. */
  readonly why?: string;
}

/**
 * @param latent Size of the whole latent.
 * @param bounds Device i owns latent rows [bounds[i], bounds[i + 1]).
 */
export async function planDecoding(
  devices: readonly DecodingDevice[],
  latent: LatentSize,
  bounds: readonly number[],
): Promise<Decoding> {
  if (devices.length === 1) return { strips: [] };
  return decodingOf(await reachesOf(devices, latent), bounds);
}

/** Of the first device, and of the others only if it matters: to find out, they read their whole decoder. */
export async function reachesOf(
  [first, ...others]: readonly DecodingDevice[],
  latent: LatentSize,
): Promise<readonly DecoderReach[]> {
  const reach = await first!.decoderReach(latent);
  const asked = reach.kind === 'rows' ? others : [];
  const theirs = await Promise.all(asked.map((device) => device.decoderReach(latent)));
  return [reach, ...theirs];
}

/** The decision itself. @param reaches What the devices found in their decoders. */
export function decodingOf(reaches: readonly DecoderReach[], bounds: readonly number[]): Decoding {
  const rows: Reach[] = [];
  for (const reach of reaches) {
    if (reach.kind === 'whole') return { strips: [], why: reach.why };
    rows.push(reach);
  }
  const first = rows[0]!;
  const isSame = ({ above, below, scale }: Reach): boolean =>
    above === first.above && below === first.below && scale === first.scale;
  if (!rows.every(isSame)) return { strips: [], why: 'the devices have different decoders' };
  return { strips: stripsOf(first, bounds) };
}

/** @param latent [1, C, H, W] after the last step. */
export async function decodeImage(
  devices: readonly DecodingDevice[],
  { strips }: Decoding,
  latent: Tensor,
): Promise<RgbImage> {
  if (strips.length === 0) return devices[0]!.decode(latent);
  const parts = strips.map(({ reads, keeps }, patch) =>
    devices[patch]!.decode(takeRows(latent, ...reads), keeps),
  );
  return stackRows(await Promise.all(parts));
}
