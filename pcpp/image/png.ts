/** PNG files: the same image and text always give the same bytes. */

import { type DecodedPng, decode, encode } from 'fast-png';
import { PcppError } from '../errors.js';
import type { RgbImage } from './decode.js';

/** Keyword to text. PNG allows Latin-1 only; other characters are written as \uXXXX. */
export type PngText = Readonly<Record<string, string>>;

export function encodePng(image: RgbImage, text: PngText = {}): Uint8Array {
  return encode({
    width: image.width,
    height: image.height,
    data: image.data,
    depth: 8,
    channels: 3,
    text: Object.fromEntries(
      Object.entries(text).map(([keyword, value]) => [keyword, toLatin1(value)]),
    ),
  });
}

/** @throws PcppError `E_SHAPE` if it is not an 8-bit RGB image. */
export function decodePng(png: Uint8Array): { readonly image: RgbImage; readonly text: PngText } {
  const { width, height, channels, depth, data, text } = decode(png);
  if (channels !== 3 || depth !== 8) {
    throw new PcppError(
      'E_SHAPE',
      `expected an 8-bit RGB image, got ${channels} channels of ${depth} bits`,
    );
  }
  return { image: { width, height, data: Uint8Array.from(data) }, text };
}

/**
 * A picture from outside, to begin with: grey becomes red, green and blue, and transparency is ignored.
 *
 * @throws PcppError `E_OPTION` if it is no PNG of 8 bits.
 */
export function readPicture(png: Uint8Array, name: string): RgbImage {
  const { width, height, channels, depth, data, palette } = decodeOrRefuse(png, name);
  if (depth !== 8 || palette) {
    const what = palette ? 'a palette' : `${depth} bits`;
    throw new PcppError('E_OPTION', `${name} has ${what}; save it as a PNG of 8-bit RGB`);
  }
  const rgb = new Uint8Array(3 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let color = 0; color < 3; color++) {
      rgb[3 * pixel + color] = data[channels * pixel + (channels < 3 ? 0 : color)]!;
    }
  }
  return { width, height, data: rgb };
}

function decodeOrRefuse(png: Uint8Array, name: string): DecodedPng {
  try {
    return decode(png);
  } catch (cause) {
    throw new PcppError('E_OPTION', `${name} is no PNG: ${String(cause)}`, { cause });
  }
}

const toLatin1 = (text: string): string =>
  text.replace(/[^\n\x20-\x7e\xa0-\xff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
