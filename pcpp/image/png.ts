/** PNG files: the same image and text always give the same bytes. */

import { decode, encode } from 'fast-png';
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

const toLatin1 = (text: string): string =>
  text.replace(/[^\n\x20-\x7e\xa0-\xff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
