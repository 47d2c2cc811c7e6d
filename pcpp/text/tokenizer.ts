/** Prompts to token ids, by the Hugging Face tokenizer of the model. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import * as z from 'zod';
import { PcppError } from '../errors.js';
import { parseFile, readJsonFile, readTextFile } from '../model/json-file.js';
import { clipTokenizer, type DeclaredToken } from './clip-layout.js';

export interface Tokens {
  /** Exactly as many as the text encoder reads: cut or padded. */
  readonly ids: readonly number[];
  /** Tokens of the prompt that had no room; 0 if all of it was read. */
  readonly cut: number;
  /** Words that are not in the vocabulary, each once; they do nothing. */
  readonly unknownWords: readonly string[];
}

export interface Tokenizer {
  encode(prompt: string): Tokens;
}

const declaredToken: z.ZodType<DeclaredToken> = z.union([
  z.string(),
  z.looseObject({
    content: z.string(),
    normalized: z.boolean().optional(),
    lstrip: z.boolean().optional(),
    rstrip: z.boolean().optional(),
    single_word: z.boolean().optional(),
  }),
]);

const configSchema = z.looseObject({
  model_max_length: z.number().positive().optional(),
  bos_token: declaredToken.nullish(),
  eos_token: declaredToken.nullish(),
  unk_token: declaredToken.nullish(),
  pad_token: declaredToken.nullish(),
});

type Config = z.infer<typeof configSchema>;

/** What the library returns; its own declaration of it is not exported. */
interface Encoding {
  readonly ids: number[];
  readonly tokens: readonly string[];
}

/**
 * @param folder Holds tokenizer_config.json and either tokenizer.json, or vocab.json with merges.txt (CLIP).
 * @param length Tokens that the text encoder reads; the tokenizer's own limit counts if it is smaller.
 * @throws PcppError `E_MODEL_DIR` if files are missing, `E_MODEL_CONFIG` if they lack what is needed.
 */
export function openTokenizer(folder: string, length: number): Tokenizer {
  const path = join(folder, 'tokenizer_config.json');
  const config = parseFile(configSchema, readJsonFile(path), path);
  const pad = contentOf(config.pad_token);
  if (pad === undefined) {
    throw new PcppError('E_MODEL_CONFIG', `${path}: pad_token: Required to fill up short prompts`);
  }
  const built = build(folder, config);
  const padId = built.tokenizer.token_to_id(pad);
  if (padId === undefined) {
    throw new PcppError('E_MODEL_CONFIG', `${path}: pad_token ${pad} is not in the vocabulary`);
  }
  return wrap(
    built,
    Math.min(length, config.model_max_length ?? length),
    padId,
    contentOf(config.eos_token),
  );
}

interface Built {
  readonly tokenizer: HuggingFaceTokenizer;
  readonly lowercases: boolean;
}

function build(folder: string, config: Config): Built {
  // The library wants the special tokens as plain strings.
  const plain = Object.fromEntries(
    (['bos_token', 'eos_token', 'unk_token', 'pad_token'] as const).flatMap((name) => {
      const content = contentOf(config[name]);
      return content === undefined ? [] : [[name, content] as const];
    }),
  );
  const path = join(folder, 'tokenizer.json');
  const description = existsSync(path) ? readJsonFile(path) : clipDescription(folder, config);
  try {
    return {
      tokenizer: new HuggingFaceTokenizer(description as object, plain),
      lowercases: JSON.stringify(description).includes('"type":"Lowercase"'),
    };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PcppError('E_MODEL_CONFIG', `the tokenizer in ${folder} cannot be used: ${why}`, {
      cause,
    });
  }
}

function clipDescription(folder: string, config: Config): object {
  const path = join(folder, 'vocab.json');
  if (!existsSync(path)) {
    throw new PcppError(
      'E_MODEL_DIR',
      `${folder} holds neither tokenizer.json nor vocab.json with merges.txt; copy the tokenizer of the original model into it`,
    );
  }
  const vocab = parseFile(z.record(z.string(), z.int()), readJsonFile(path), path);
  const bos = contentOf(config.bos_token);
  const eos = contentOf(config.eos_token);
  if (bos === undefined || eos === undefined) {
    throw new PcppError(
      'E_MODEL_CONFIG',
      `${folder}/tokenizer_config.json must name bos_token and eos_token`,
    );
  }
  const declared = [config.bos_token, config.eos_token, config.unk_token, config.pad_token];
  return clipTokenizer(
    vocab,
    readTextFile(join(folder, 'merges.txt')),
    bos,
    eos,
    declared.filter((token) => token !== undefined && token !== null),
  );
}

function wrap(
  { tokenizer, lowercases }: Built,
  length: number,
  padId: number,
  eos: string | undefined,
): Tokenizer {
  const eosId = eos === undefined ? undefined : tokenizer.token_to_id(eos);
  // A tokenizer may declare an end token and yet not append it.
  const endsWithEos = eosId !== undefined && tokenizer.encode('').ids.at(-1) === eosId;
  // JavaScript writes a capital sigma at the end of a word as ς; the tokenizers that the models were trained with do not.
  const prepare = (prompt: string): string => (lowercases ? prompt.replaceAll('Σ', 'σ') : prompt);
  return {
    encode(prompt: string): Tokens {
      const { ids, tokens }: Encoding = tokenizer.encode(prepare(prompt));
      const cut = Math.max(0, ids.length - length);
      const kept = cut === 0 ? ids : ids.slice(0, length);
      if (cut > 0 && endsWithEos) kept[length - 1] = eosId;
      const padding = new Array<number>(length - kept.length).fill(padId);
      const unknown = tokens.filter((token) => tokenizer.token_to_id(token) === undefined);
      return { ids: [...kept, ...padding], cut, unknownWords: [...new Set(unknown)] };
    },
  };
}

const contentOf = (token: DeclaredToken | null | undefined): string | undefined =>
  typeof token === 'string' ? token : token?.content;
