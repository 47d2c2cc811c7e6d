/** A model directory with its graphs and tokenizers, each loaded when first needed and kept. */

import { Session, type SessionOptions } from '../onnx/session.js';
import { openTokenizer, type Tokenizer } from '../text/tokenizer.js';
import { ModelDirectory, type ModelPart } from './directory.js';

export type TextEncoderPart = 'text_encoder' | 'text_encoder_2';

/** Owns its sessions: dispose of it and they are released. */
export class Model implements AsyncDisposable {
  readonly directory: ModelDirectory;
  readonly #options: SessionOptions;
  readonly #sessions = new Map<ModelPart, Promise<Session>>();
  readonly #tokenizers = new Map<TextEncoderPart, Tokenizer>();

  constructor(directory: ModelDirectory, options: SessionOptions = {}) {
    this.directory = directory;
    this.#options = options;
  }

  /**
   * @param root Path of a directory in the layout of diffusers.
   * @param options For every session of the model.
   * @throws PcppError `E_MODEL_DIR` or `E_MODEL_CONFIG` naming the file.
   */
  static open(root: string, options: SessionOptions = {}): Model {
    return new Model(ModelDirectory.open(root), options);
  }

  /** @throws PcppError `E_MODEL_DIR` if the graph is missing, `E_SESSION` if ONNX Runtime refuses it. */
  async session(part: ModelPart): Promise<Session> {
    let opening = this.#sessions.get(part);
    if (!opening) {
      opening = Session.open(this.directory.graph(part), this.#options);
      this.#sessions.set(part, opening);
      // A file that was missing may be there at the next try.
      opening.catch(() => this.#sessions.delete(part));
    }
    return opening;
  }

  /** @throws PcppError `E_MODEL_DIR` or `E_MODEL_CONFIG` naming the file. */
  tokenizer(part: TextEncoderPart): Tokenizer {
    let tokenizer = this.#tokenizers.get(part);
    if (!tokenizer) {
      const folder = part === 'text_encoder' ? 'tokenizer' : 'tokenizer_2';
      tokenizer = openTokenizer(this.directory.path(folder), this.directory.textLength(part));
      this.#tokenizers.set(part, tokenizer);
    }
    return tokenizer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const result of await Promise.allSettled(opened)) {
      if (result.status === 'fulfilled') await result.value[Symbol.asyncDispose]();
    }
  }
}
