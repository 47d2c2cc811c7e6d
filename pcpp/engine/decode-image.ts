/**
 * From the last latent to pixels on the devices of a job. Each decodes its own rows: with as many rows around them as
 * their pixels depend on, so that nothing has to be exchanged, or in stages where the decoder looks at the whole image.
 */

import { type RgbImage, stackRows } from '../image/decode.js';
import type { DecoderReach, LatentSize } from '../image/decoder-reach.js';
import { type Strip, stripsOf } from '../partition/strips.js';
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
export type Decoding =
  /** One strip per device, from top to bottom. */
  | { readonly by: 'strips'; readonly strips: readonly Strip[] }
  /** All devices together: see decode-in-stages.ts. */
  | { readonly by: 'stages' }
  /** The first device decodes the whole image; `why` several leave it to one. */
  | { readonly by: 'one'; readonly why?: string };

/**
 * @param latent Size of the whole latent.
 * @param bounds Device i owns latent rows [bounds[i], bounds[i + 1]).
 */
export async function planDecoding(
  devices: readonly DecodingDevice[],
  latent: LatentSize,
  bounds: readonly number[],
): Promise<Decoding> {
  if (devices.length === 1) return { by: 'one' };
  return decodingOf(await reachesOf(devices, latent), bounds);
}

/** Of the first device, and of the others only if it matters: to find out, they read their whole decoder. */
export async function reachesOf(
  [first, ...others]: readonly DecodingDevice[],
  latent: LatentSize,
): Promise<readonly DecoderReach[]> {
  const reach = await first!.decoderReach(latent);
  const asked = reach.kind === 'whole' ? [] : others;
  const theirs = await Promise.all(asked.map((device) => device.decoderReach(latent)));
  return [reach, ...theirs];
}

/** The decision itself. @param reaches What the devices found in their decoders. */
export function decodingOf(reaches: readonly DecoderReach[], bounds: readonly number[]): Decoding {
  const whole = reaches.find((reach) => reach.kind === 'whole');
  if (whole) return { by: 'one', why: whole.why };
  const first = reaches[0]!;
  if (!reaches.every((reach) => isSame(first, reach))) {
    return { by: 'one', why: 'the devices have different decoders' };
  }
  return first.kind === 'rows'
    ? { by: 'strips', strips: stripsOf(first, bounds) }
    : { by: 'stages' };
}

function isSame(one: DecoderReach, other: DecoderReach): boolean {
  if (one.kind === 'rows' && other.kind === 'rows') {
    const keys = ['above', 'below', 'scale'] as const;
    return keys.every((key) => one[key] === other[key]);
  }
  return one.kind === 'stages' && other.kind === 'stages' && one.hash === other.hash;
}

/** @param latent [1, C, H, W] after the last step. @param strips One per device. */
export async function decodeStrips(
  devices: readonly DecodingDevice[],
  strips: readonly Strip[],
  latent: Tensor,
): Promise<RgbImage> {
  const parts = strips.map(({ reads, keeps }, patch) =>
    devices[patch]!.decode(takeRows(latent, ...reads), keeps),
  );
  return stackRows(await Promise.all(parts));
}
