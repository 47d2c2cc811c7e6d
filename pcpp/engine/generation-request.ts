/** What a user may ask for, and the check of everything that can be checked without the model. */

import { PcppError } from '../errors.js';
import type { RgbImage } from '../image/decode.js';
import type { BorderRule } from '../partition/border-rules.js';
import {
  type BorderAge,
  type BorderCut,
  borderCuts,
  type GroupNormMode,
  groupNormModes,
} from '../partition/plan.js';
import { type Wire, wires } from '../partition/wire.js';
import { type AttentionPayload, attentionPayloads } from '../rewrite/sites.js';
import { maxSeed } from '../samplers/noise.js';
import { type SamplerName, samplerNames } from '../samplers/sampler.js';
import { type WarmupKind, warmupKinds } from './step-kind.js';

/**
 * - `single`: one device computes the whole image.
 * - `sync`: patches exchange fresh borders in every step; the picture of `single`.
 * - `distrifusion`: patches read all of the others, one step old.
 * - `pcpp`: patches read a part of their direct neighbours, one step old.
 */
export type GenerationMode = 'single' | 'sync' | 'distrifusion' | 'pcpp';

export const generationModes: readonly GenerationMode[] = [
  'single',
  'sync',
  'distrifusion',
  'pcpp',
];

/** `auto`: one device, or `pcpp` with so many devices, border fraction and wire as are forecast to be fastest. */
export type RequestedMode = GenerationMode | 'auto';

export const requestedModes: readonly RequestedMode[] = [...generationModes, 'auto'];

export type RowShares = 'equal' | 'measured' | readonly number[];

export interface GenerationRequest {
  /** What the picture shows. */
  readonly prompt: string;
  /** What it should not show. Works only with guidance. @default nothing */
  readonly negativePrompt?: string;
  /** A picture to begin with instead of noise alone; the model needs a `vae_encoder`. Its size is the new one's. */
  readonly image?: RgbImage;
  /**
   * How much of that picture may change, above 0 and up to 1: the share of the steps that are computed. Only with `image`.
   * @default 0.8
   */
  readonly strength?: number;
  /** Pixels, divisible as the model needs. @default the model's own */
  readonly width?: number;
  /** Pixels, divisible as the model needs. @default the model's own */
  readonly height?: number;
  /** Denoiser evaluations. More take longer and change less and less. @default the model's own, 20 if it names none */
  readonly steps?: number;
  /** The same seed gives the same picture. @default 0 */
  readonly seed?: number;
  /** How strictly the prompt is followed; 1 or less: without guidance, in half the time. @default the model's own */
  readonly guidanceScale?: number;
  /** @default the model's own */
  readonly sampler?: SamplerName;
  /** @default 'pcpp' */
  readonly mode?: RequestedMode;
  /** Share of a neighbour's rows that a patch attends to, 0..1; less is faster and shows seams sooner. @default 0.3 */
  readonly borderFraction?: number;
  /**
   * Other border fractions for some layers, some steps, or both; where several rules hold, the last one does. Only in mode
   * pcpp. @default none
   */
  readonly borderRules?: readonly BorderRule[];
  /** Whole rows of tokens, rounded up, or single tokens, rounded down: fewer bytes. @default 'tokens' */
  readonly borderCut?: BorderCut;
  /**
   * What attention's borders are made of: `kv` are keys and values; `hidden` is what both are made of, half the bytes, and
   * each device projects what it reads. Where a graph has no such tensor its keys and values travel. @default 'hidden', in
   * distrifusion mode 'kv', because there a device would project the whole image
   */
  readonly borderPayload?: AttentionPayload;
  /**
   * What group normalisation takes its statistics of in displaced steps. `corrected`: those of all patches a step ago and the
   * own change since, as DistriFusion has it; `damped`: not all of that change, which keeps pictures of many devices from tipping
   * over; `stale`: the others' of a step ago and the own fresh ones; `local`: own rows only, which costs no bytes.
   * @default 'damped'
   */
  readonly groupNorm?: GroupNormMode;
  /**
   * Steps between the one that makes a border and the one that reads it. At 2 messages travel during a whole step, which
   * slow links need, and seams show sooner. @default 1
   */
  readonly borderAge?: BorderAge;
  /**
   * How long a step waits for a border, milliseconds, before it takes one that is older instead, which is counted. The
   * picture then depends on timing. @default it waits for ever
   */
  readonly borderDeadlineMs?: number;
  /** Steps that such a border may be older than `borderAge`, 1 to 8; if there is none, the step waits. @default 1 */
  readonly lateSteps?: number;
  /**
   * Precision of borders on the wire. `int8` has a scale for every row or token; `residual-int8` and `residual-int4` send
   * changes from step to step and make up for what they rounded. @default 'fp16'
   */
  readonly wire?: Wire;
  /** The first steps that compute the whole image, exactly so many, at most all of them. @default one in 20, at least 1 */
  readonly warmupSteps?: number;
  /**
   * How these steps are computed. `patch`: only the first one of the whole image; in the others each device computes its own rows
   * twice, the second time with borders that all have told of the first. @default 'whole'
   */
  readonly warmup?: WarmupKind;
  /**
   * Steps before the last one that compute the whole image, of rows that devices tell each other before each: they mend what
   * shows of stale borders at the patches' edges. @default one in 10, at most 2
   */
  readonly cooldownSteps?: number;
  /**
   * Guidance on two groups of devices: one computes what the prompt gives, the other what the negative prompt gives. The
   * picture does not change, and each group has half the work. In mode `single` that makes two devices. @default false
   */
  readonly cfgParallel?: boolean;
  /**
   * Guidance in turns on every device: the prompt and then the negative prompt, each while the other's borders travel. The
   * picture is the same, a step takes a little longer to compute, and it waits for a round of small messages only: for links
   * that are slower than the devices. @default false
   */
  readonly cfgInterleaved?: boolean;
  /**
   * How the rows are shared out among the patches: equally, by one weight for each patch from top to bottom, or by how fast
   * the devices were in the images before; until that is known, equally. @default 'equal'
   */
  readonly rowShares?: RowShares;
  /**
   * A small picture of what the image will be, every so many steps and after the last one, as an event of its job; 0: none.
   * The image is the same with and without. @default 0
   */
  readonly previewEvery?: number;
  /** Devices that share the image; in mode `auto` the most that may. @default all that are free */
  readonly devices?: number;
}

/** Defaults that do not depend on the model. */
export const generationDefaults: {
  readonly seed: number;
  readonly strength: number;
  readonly mode: GenerationMode;
  readonly borderFraction: number;
  readonly borderCut: BorderCut;
  readonly groupNorm: GroupNormMode;
  readonly borderAge: BorderAge;
  readonly wire: Wire;
  readonly warmup: WarmupKind;
  readonly cfgParallel: boolean;
  readonly cfgInterleaved: boolean;
  readonly rowShares: RowShares;
} = {
  seed: 0,
  strength: 0.8,
  mode: 'pcpp',
  borderFraction: 0.3,
  borderCut: 'tokens',
  groupNorm: 'damped',
  borderAge: 1,
  wire: 'fp16',
  warmup: 'whole',
  cfgParallel: false,
  cfgInterleaved: false,
  rowShares: 'equal',
};

/** Characters of a wrong value that an error shows. */
const shownLength = 100;

interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

const text: Rule = { expected: 'a text', accepts: (value) => typeof value === 'string' };

const flag: Rule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };

const integer = (from: number, to: number): Rule => ({
  expected: `an integer in ${from}..${to}`,
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= from && Number(value) <= to,
});

const real = (from: number, to: number): Rule => ({
  expected: `a number in ${from}..${to}`,
  accepts: (value) => typeof value === 'number' && value >= from && value <= to,
});

const oneOf = (names: readonly string[]): Rule => ({
  expected: `one of ${names.join(', ')}`,
  accepts: (value) => typeof value === 'string' && names.includes(value),
});

/** Each may cut the graph's sites and the image's steps once more. */
const mostRules = 32;

function isBorderRule(value: unknown): value is BorderRule {
  if (typeof value !== 'object' || value === null) return false;
  const { borderFraction, layers, steps, ...rest } = value as Record<string, unknown>;
  const isStep = integer(0, 10_000).accepts;
  return (
    Object.keys(rest).length === 0 &&
    real(0, 1).accepts(borderFraction) &&
    (layers === undefined || (typeof layers === 'string' && layers.length > 0)) &&
    (steps === undefined ||
      (Array.isArray(steps) && steps.length === 2 && steps.every(isStep) && steps[0] < steps[1]))
  );
}

const picture: Rule = {
  expected: 'an RGB image: width, height and three bytes for every pixel',
  accepts: (value) => {
    const { width, height, data } = (value ?? {}) as Partial<Record<keyof RgbImage, unknown>>;
    const isSide = (side: unknown): boolean => Number.isSafeInteger(side) && Number(side) > 0;
    const isSize = isSide(width) && isSide(height);
    return (
      isSize && data instanceof Uint8Array && data.length === 3 * Number(width) * Number(height)
    );
  },
};

const rules: Readonly<Record<keyof GenerationRequest, Rule>> = {
  prompt: text,
  negativePrompt: text,
  image: picture,
  strength: real(0, 1),
  width: integer(1, 16_384),
  height: integer(1, 16_384),
  steps: integer(1, 1000),
  seed: integer(0, maxSeed),
  guidanceScale: real(0, 100),
  sampler: oneOf(samplerNames),
  mode: oneOf(requestedModes),
  borderFraction: real(0, 1),
  borderRules: {
    expected: `a list of { borderFraction: 0..1, layers?: a part of a name, steps?: [from, to] }, at most ${mostRules}`,
    accepts: (value) =>
      Array.isArray(value) && value.length <= mostRules && value.every(isBorderRule),
  },
  borderCut: oneOf(borderCuts),
  groupNorm: oneOf(groupNormModes),
  borderAge: integer(1, 2),
  borderPayload: oneOf(attentionPayloads),
  borderDeadlineMs: real(0, 1e9),
  lateSteps: integer(1, 8),
  wire: oneOf(wires),
  warmupSteps: integer(1, 1000),
  warmup: oneOf(warmupKinds),
  cooldownSteps: integer(0, 1000),
  rowShares: {
    expected: "'equal', 'measured' or a list of weights above 0",
    accepts: (value) =>
      value === 'equal' ||
      value === 'measured' ||
      (Array.isArray(value) &&
        value.length > 0 &&
        value.every((weight) => Number.isFinite(weight) && weight > 0)),
  },
  cfgParallel: flag,
  cfgInterleaved: flag,
  previewEvery: integer(0, 1000),
  devices: integer(1, 1024),
};

/**
 * @param value Comes from outside: parsed JSON, command line options. Fields that are undefined count as left out.
 * @throws PcppError `E_OPTION` naming the option, its range and what was given.
 */
export function parseRequest(value: unknown): GenerationRequest {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PcppError('E_OPTION', `a request is an object with a prompt, got ${show(value)}`);
  }
  const given = Object.entries(value).filter(([, option]) => option !== undefined);
  for (const [name, option] of given) {
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof GenerationRequest] : undefined;
    if (!rule) {
      throw new PcppError(
        'E_OPTION',
        `there is no option ${name}; options: ${Object.keys(rules).join(', ')}`,
      );
    }
    if (!rule.accepts(option)) {
      throw new PcppError('E_OPTION', `${name} must be ${rule.expected}, got ${show(option)}`);
    }
  }
  if (!given.some(([name]) => name === 'prompt')) {
    throw new PcppError('E_OPTION', 'prompt is missing: say what the picture shows');
  }
  return Object.fromEntries(given) as unknown as GenerationRequest;
}

/** In a line of an error: of pictures only how large they are. */
function show(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  const text = textOf(value);
  return text === undefined ? String(value) : shortened(text);
}

function textOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, function (this: Record<string, unknown>, key, told: unknown) {
      // A Buffer has been turned into a list of numbers by now.
      const own = this[key];
      return ArrayBuffer.isView(own) ? `${own.byteLength} bytes` : told;
    });
  } catch {
    // It holds itself, or a bigint.
    return Object.prototype.toString.call(value);
  }
}

const shortened = (text: string): string =>
  text.length <= shownLength ? text : `${text.slice(0, shownLength)}...`;
