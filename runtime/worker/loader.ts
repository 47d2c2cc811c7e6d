/**
 * Bundles on a node's disk. A bundle is stored once, as `<hash>/index.mjs`; beside it links let it import the runtime
 * (this very installation) and the packages that could not be bundled.
 */

import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuntimeError } from '../errors.js';
import type { CodeId } from '../ids.js';

interface Code {
  readonly source: Uint8Array;
  readonly externals: readonly string[];
}

export class Loader {
  readonly #folder: string;
  readonly #node: string;
  readonly #files = new Map<CodeId, Promise<string>>();

  /** @param folder Made if missing; its owner removes it. */
  constructor(folder: string, node: string) {
    this.#folder = folder;
    this.#node = node;
  }

  /**
   * Path of the bundle's file, fetched on first use.
   *
   * @throws RuntimeError `E_EXTERNAL` if a package it needs is not installed here.
   */
  file(id: CodeId, fetch: () => Promise<Code>): Promise<string> {
    const known = this.#files.get(id);
    if (known !== undefined) return known;
    const file = fetch().then((code) => this.#store(id, code));
    this.#files.set(id, file);
    file.catch(() => this.#files.delete(id));
    return file;
  }

  #store(id: CodeId, { source, externals }: Code): string {
    const folder = join(this.#folder, id);
    const modules = join(folder, 'node_modules');
    mkdirSync(modules, { recursive: true });
    link(packageRoot, join(modules, 'patchbay'));
    for (const name of externals) {
      const root = installedAt(name);
      if (!root) {
        throw new RuntimeError(
          'E_EXTERNAL',
          `node ${this.#node} lacks ${name}; install it beside patchbay on that machine`,
        );
      }
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      link(root, join(modules, name));
    }
    const file = join(folder, 'index.mjs');
    writeFileSync(file, source);
    return file;
  }
}

function link(target: string, path: string): void {
  if (!existsSync(path)) symlinkSync(target, path, 'dir');
}

/** The folder of this installation's package.json. */
const packageRoot: string = (() => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isPatchbay(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
})();

function isPatchbay(file: string): boolean {
  if (dirname(file) === dirname(dirname(file))) return true;
  if (!existsSync(file)) return false;
  return (JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown }).name === 'patchbay';
}

function installedAt(name: string): string | undefined {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  return folders.map((folder) => join(folder, name)).find((folder) => existsSync(folder));
}
