import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { PcppError, type PcppErrorCode } from '../../../pcpp/errors.js';
import { clipTokenizer } from '../../../pcpp/text/clip-layout.js';
import { openTokenizer } from '../../../pcpp/text/tokenizer.js';
import { goldenJson, goldenPath, scenesPath } from '../../helpers/golden.js';
import { tempFolder } from '../../helpers/temp-folder.js';

interface Case {
  readonly prompt: string;
  /** The used part only. */
  readonly ids77: readonly number[];
  readonly tokenizer_2_ids77?: readonly number[];
  readonly full_ids: readonly number[];
}

const { cases } = goldenJson<{ readonly cases: readonly Case[] }>('refs/tokenizer.json');
const first = openTokenizer(goldenPath('models/tiny-sd15/tokenizer'), 77);
const second = openTokenizer(goldenPath('models/tiny-sdxl/tokenizer_2'), 77);

const padded = (ids: readonly number[], pad: number): readonly number[] => [
  ...ids,
  ...new Array<number>(77 - ids.length).fill(pad),
];

for (const { prompt, ids77, tokenizer_2_ids77, full_ids } of cases) {
  test(`CLIP ids are exact: ${JSON.stringify(prompt.slice(0, 60))} (${prompt.length})`, (t) => {
    const tokens = first.encode(prompt);
    t.deepEqual(tokens.ids, padded(ids77, 49407));
    t.is(tokens.cut, Math.max(0, full_ids.length - 77));
    t.deepEqual(tokens.unknownWords, []);
    t.deepEqual(second.encode(prompt).ids, padded(tokenizer_2_ids77 ?? ids77, 0));
  });
}

test('tokenizer.json gives the ids of vocab.json with merges.txt', (t) => {
  const source = goldenPath('models/tiny-sd15/tokenizer');
  const read = (name: string): string => readFileSync(join(source, name), 'utf8');
  const [bos, eos] = ['<|startoftext|>', '<|endoftext|>'];
  const description = clipTokenizer(JSON.parse(read('vocab.json')), read('merges.txt'), bos, eos, [
    { content: bos, normalized: true },
    { content: eos, normalized: true },
  ]);
  const folder = tempFolder('tokenizer');
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(description));
  writeFileSync(join(folder, 'tokenizer_config.json'), read('tokenizer_config.json'));
  const tokenizer = openTokenizer(folder, 77);
  for (const { prompt } of cases) t.deepEqual(tokenizer.encode(prompt), first.encode(prompt));
});

test('the shorter of the two limits counts', (t) => {
  const short = openTokenizer(goldenPath('models/tiny-sd15/tokenizer'), 5);
  t.deepEqual(short.encode('a photo of a cat'), {
    ids: [49406, 320, 1125, 539, 49407],
    cut: 2,
    unknownWords: [],
  });
});

test('scenes: lower case, words only, unknown words are told', (t) => {
  const tokenizer = openTokenizer(join(scenesPath, 'tokenizer'), 24);
  const { ids, cut, unknownWords } = tokenizer.encode('A calm LAKE, a dragon; dragon sunset2');
  t.is(ids.length, 24);
  t.is(ids[0], 1);
  t.deepEqual(ids.slice(8), new Array(16).fill(0));
  t.is(ids.filter((id) => id === 2).length, 2);
  t.is(cut, 0);
  t.deepEqual(unknownWords, ['dragon']);
  t.deepEqual(tokenizer.encode('').ids, [1, ...new Array(23).fill(0)]);
});

test('scenes: what has no room is cut and counted', (t) => {
  const tokenizer = openTokenizer(join(scenesPath, 'tokenizer'), 24);
  const { ids, cut } = tokenizer.encode('snow '.repeat(30));
  t.is(ids.length, 24);
  t.is(new Set(ids.slice(1)).size, 1);
  t.is(cut, 7);
});

const broken: readonly (readonly [
  what: string,
  files: Readonly<Record<string, string>>,
  code: PcppErrorCode,
  text: RegExp,
])[] = [
  ['an empty folder', {}, 'E_MODEL_DIR', /tokenizer_config\.json.*docs\/models\.md/],
  [
    'no vocabulary',
    { 'tokenizer_config.json': '{"pad_token":"x"}' },
    'E_MODEL_DIR',
    /neither tokenizer\.json nor/,
  ],
  ['no pad token', { 'tokenizer_config.json': '{}' }, 'E_MODEL_CONFIG', /pad_token/],
  [
    'no ends',
    { 'tokenizer_config.json': '{"pad_token":"x"}', 'vocab.json': '{"x":0}' },
    'E_MODEL_CONFIG',
    /bos_token/,
  ],
  [
    'no merges',
    {
      'tokenizer_config.json': '{"pad_token":"x","bos_token":"x","eos_token":"x"}',
      'vocab.json': '{"x":0}',
    },
    'E_MODEL_DIR',
    /merges\.txt/,
  ],
  [
    'a damaged tokenizer',
    { 'tokenizer_config.json': '{"pad_token":"x"}', 'tokenizer.json': '{}' },
    'E_MODEL_CONFIG',
    /cannot be used/,
  ],
  ['broken JSON', { 'tokenizer_config.json': '{' }, 'E_MODEL_DIR', /not JSON/],
];

for (const [what, files, code, text] of broken) {
  test(`${what} is refused`, (t) => {
    const folder = tempFolder('tokenizer');
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(folder, name), content);
    }
    const error = t.throws(() => openTokenizer(folder, 77), { instanceOf: PcppError });
    t.is(error.code, code);
    t.regex(error.message, text);
  });
}
