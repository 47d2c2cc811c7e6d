/** Builds the tokenizer description of CLIP from vocab.json and merges.txt, the layout of older model directories. */

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: true;
  readonly normalized: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly single_word: boolean;
}

/** How tokenizer_config.json declares a special token. */
export type DeclaredToken =
  | string
  | {
      readonly content: string;
      readonly normalized?: boolean | undefined;
      readonly lstrip?: boolean | undefined;
      readonly rstrip?: boolean | undefined;
      readonly single_word?: boolean | undefined;
    };

/**
 * The same pipeline that the transformers library builds for a CLIPTokenizer: NFC, white space to one space, lower
 * case; CLIP's split pattern; byte-level BPE with an end-of-word suffix.
 *
 * @param vocab Token to id.
 * @param merges merges.txt: a version line, then one merge a line.
 * @param bos Content of the first token.
 * @param eos Content of the last token.
 * @param declared Special tokens. Each is cut out of the text before the BPE, even a plain "!" as SDXL's second
 *   tokenizer declares it.
 */
export function clipTokenizer(
  vocab: Readonly<Record<string, number>>,
  merges: string,
  bos: string,
  eos: string,
  declared: readonly DeclaredToken[],
): object {
  return {
    added_tokens: addedTokens(vocab, declared),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        {
          type: 'Split',
          pattern: {
            Regex: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
          },
          behavior: 'Removed',
          invert: true,
        },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: [eos, vocab[eos]],
      cls: [bos, vocab[bos]],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: null,
    model: {
      type: 'BPE',
      unk_token: eos,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      vocab,
      merges: merges.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#version')),
    },
  };
}

function addedTokens(
  vocab: Readonly<Record<string, number>>,
  declared: readonly DeclaredToken[],
): readonly AddedToken[] {
  const tokens = new Map<string, AddedToken>();
  for (const token of declared) {
    const { content, normalized, lstrip, rstrip, single_word } =
      typeof token === 'string' ? { content: token } : token;
    const id = vocab[content];
    if (id === undefined || tokens.has(content)) continue;
    tokens.set(content, {
      id,
      content,
      special: true,
      normalized: normalized ?? false,
      lstrip: lstrip ?? false,
      rstrip: rstrip ?? false,
      single_word: single_word ?? false,
    });
  }
  return [...tokens.values()];
}
