/** A model directory with its graphs and tokenizers, each loaded when first needed and kept. */

import { Session, type SessionOptions } from '../onnx/session.js';
import { openTokenizer, type Tokenizer } from '../text/tokenizer.js';
import { ModelDirectory, type ModelPart, type TextEncoderPart } from './directory.js';

/** Of every session; asked for when the first one is opened, where it is not known before. */
export type ModelOptions = SessionOptions | (() => Promise<SessionOptions>);

/** Owns its sessions: dispose of it and they are released. */
export class Model implements AsyncDisposable {
  readonly directory: ModelDirectory;
  readonly #options: ModelOptions;
  readonly #sessions = new Map<ModelPart, Promise<Session>>();
  readonly #tokenizers = new Map<TextEncoderPart, Tokenizer>();

  constructor(directory: ModelDirectory, options: ModelOptions = {}) {
    this.directory = directory;
    this.#options = options;
  }

  /**
   * @param root Path of a directory in the layout of diffusers.
   * @param options For every session of the model.
   * @throws PcppError `E_MODEL_DIR` or `E_MODEL_CONFIG` naming the file.
   */
  static open(root: string, options: ModelOptions = {}): Model {
    return new Model(ModelDirectory.open(root), options);
  }

  /** @throws PcppError `E_MODEL_DIR` if the graph is missing, `E_SESSION` if ONNX Runtime refuses it. */
  async session(part: ModelPart): Promise<Session> {
    let opening = this.#sessions.get(part);
    if (!opening) {
      opening = this.#open(part);
      this.#sessions.set(part, opening);
      // A file that was missing may be there at the next try.
      opening.catch(() => this.#sessions.delete(part));
    }
    return opening;
  }

  async #open(part: ModelPart): Promise<Session> {
    const file = this.directory.graph(part);
    const options = typeof this.#options === 'function' ? await this.#options() : this.#options;
    return Session.open(file, options);
  }

  /** The network that denoises. @throws PcppError as `session`. */
  denoiser(): Promise<Session> {
    return this.session(this.directory.denoiserPart);
  }

  /** @throws PcppError `E_MODEL_DIR` or `E_MODEL_CONFIG` naming the file. */
  tokenizer(part: TextEncoderPart): Tokenizer {
    let tokenizer = this.#tokenizers.get(part);
    if (!tokenizer) {
      const folder = part.replace('text_encoder', 'tokenizer');
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
