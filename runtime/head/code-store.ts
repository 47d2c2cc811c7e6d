/** Bundled modules by content hash: uploaded once by a client, fetched once by each node. */

import { createHash } from 'node:crypto';
import { RuntimeError } from '../errors.js';
import type { CodeId } from '../ids.js';

export interface Code {
  readonly source: Uint8Array;
  /** Packages that every node must have installed. */
  readonly externals: readonly string[];
}

export class CodeStore {
  readonly #codes = new Map<CodeId, Code>();

  has(id: CodeId): boolean {
    return this.#codes.has(id);
  }

  /** @throws RuntimeError `E_BUNDLE` if the content does not have the hash it claims. */
  put(id: CodeId, code: Code): void {
    const actual = hashOf(code.source);
    if (actual !== id) {
      throw new RuntimeError('E_BUNDLE', `bundle ${id} arrived damaged: its hash is ${actual}`);
    }
    this.#codes.set(id, code);
  }

  /** @throws RuntimeError `E_BUNDLE` if nobody uploaded it. */
  get(id: CodeId): Code {
    const code = this.#codes.get(id);
    if (!code)
      throw new RuntimeError('E_BUNDLE', `bundle ${id} is not here; load the module again`);
    return code;
  }
}

export const hashOf = (source: Uint8Array): CodeId =>
  createHash('sha256').update(source).digest('hex').slice(0, 32) as CodeId;
