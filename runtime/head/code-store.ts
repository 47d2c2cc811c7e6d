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
  readonly #codes: Map<CodeId, Code>;
  readonly #keep: (id: CodeId, code: Code) => void;

  /** @param keep Called for what is new, before anybody hears that it is here. */
  constructor(codes: ReadonlyMap<CodeId, Code>, keep: (id: CodeId, code: Code) => void) {
    this.#codes = new Map(codes);
    this.#keep = keep;
  }

  has(id: CodeId): boolean {
    return this.#codes.has(id);
  }

  /** @throws RuntimeError `E_BUNDLE` if the content does not have the hash it claims. */
  put(id: CodeId, { source, externals }: Code): void {
    const actual = hashOf(source);
    if (actual !== id) {
      throw new RuntimeError('E_BUNDLE', `bundle ${id} arrived damaged: its hash is ${actual}`);
    }
    if (this.#codes.has(id)) return;
    this.#keep(id, { source, externals });
    this.#codes.set(id, { source, externals });
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
