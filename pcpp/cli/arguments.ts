/** Texts of the command line as what they mean. All throw InvalidArgumentError. */

import { InvalidArgumentError, Option } from 'commander';
import type { RowShares } from '../engine/generation-request.js';
import { providerChoices } from '../onnx/provider.js';
import type { BorderRule } from '../partition/border-rules.js';

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

/** The last step that anybody has, and more. */
const lastStep = 10_000;

/** One more of them: `FRACTION[,steps=FROM:TO][,layers=PART]`, where the numbers of steps may be left out. */
export function borderRules(
  text: string,
  before: readonly BorderRule[] = [],
): readonly BorderRule[] {
  const [fraction = '', ...conditions] = text.split(',');
  const rule: BorderRule = { borderFraction: share(fraction) };
  for (const condition of conditions) Object.assign(rule, conditionOf(condition));
  return [...before, rule];
}

function conditionOf(text: string): Pick<BorderRule, 'steps' | 'layers'> {
  const steps = /^steps=(\d*):(\d*)$/.exec(text);
  if (steps) return { steps: [Number(steps[1] || 0), Number(steps[2] || lastStep)] };
  const layers = /^layers=(.+)$/.exec(text);
  if (layers) return { layers: layers[1]! };
  throw new InvalidArgumentError('Expected FRACTION[,steps=FROM:TO][,layers=PART].');
}

export const providerOption = (): Option =>
  new Option('--provider <name>', 'what computes on the devices (default: auto)').choices(
    providerChoices,
  );
