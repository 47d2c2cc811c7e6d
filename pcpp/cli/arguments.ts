/** Texts of the command line as what they mean. All throw InvalidArgumentError. */

import { InvalidArgumentError } from 'commander';
import type { RowShares } from '../engine/generation-request.js';

export function integer(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('Expected a whole number from 1.');
}

export function numbers(text: string): readonly number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => Number.isFinite(value)) && !/(^|,)\s*(,|$)/.test(text)) return values;
  throw new InvalidArgumentError('Expected numbers with commas between them.');
}

export function counts(text: string): readonly number[] {
  const values = numbers(text);
  if (values.every((value) => Number.isInteger(value) && value >= 1)) return values;
  throw new InvalidArgumentError('Expected whole numbers from 1 with commas between them.');
}

export function size(text: string): readonly [number, number] {
  const match = /^(\d+)x(\d+)$/.exec(text);
  if (!match) throw new InvalidArgumentError('Expected WIDTHxHEIGHT, such as 512x512.');
  return [Number(match[1]), Number(match[2])];
}

export function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('Expected a number above 0.');
}

export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('Expected a number in 0..1.');
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError('Expected a number.');
  return value;
}

export const rowShares = (text: string): RowShares =>
  text === 'equal' || text === 'measured' ? text : numbers(text);
