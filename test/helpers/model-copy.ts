/** A model directory like another one, with a few files changed or left out. */

import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tempFolder } from './temp-folder.js';

/**
 * @param source The directory to imitate; its files are linked, not copied.
 * @param changes Path inside the directory to its new text or bytes, to a value written as JSON, or to null: left out.
 * @returns Path of a new temporary directory.
 */
export function modelCopy(source: string, changes: Readonly<Record<string, unknown>>): string {
  const root = tempFolder('model');
  link(source, root, '', changes);
  for (const [path, content] of Object.entries(changes)) {
    if (content === null) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), textOrBytes(content));
  }
  return root;
}

const textOrBytes = (content: unknown): string | Uint8Array =>
  typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content);

function link(
  source: string,
  root: string,
  folder: string,
  changes: Readonly<Record<string, unknown>>,
): void {
  for (const name of readdirSync(join(source, folder))) {
    const path = folder ? `${folder}/${name}` : name;
    if (path in changes) continue;
    const from = join(source, path);
    if (statSync(from).isDirectory()) {
      mkdirSync(join(root, path));
      link(source, root, path, changes);
    } else {
      symlinkSync(from, join(root, path));
    }
  }
}
