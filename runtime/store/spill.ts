/** Objects on disk, a file each, in a folder that is made when the first one comes. */

import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { RuntimeError } from '../errors.js';
import { makeLockedFolder } from './store-folder.js';

/** A disk is not filled beyond this share: others need it too. */
const fullAt = 0.95;

/** How large a disk is, and how much of it is free, in blocks. */
type Look = (folder: string) => Promise<{
  readonly blocks: number;
  readonly bavail: number;
  readonly bsize: number;
}>;

export class SpillFolder {
  readonly #folder: string;
  readonly #look: Look;
  #remove: (() => void) | undefined;

  constructor(folder: string, look: Look = (at) => statfs(at)) {
    this.#folder = folder;
    this.#look = look;
  }

  /** @throws RuntimeError `E_STORE_FULL` if the disk is nearly full or cannot be written to. */
  async write(key: string, bytes: Uint8Array): Promise<void> {
    this.#remove ??= makeLockedFolder(this.#folder);
    const { blocks, bavail, bsize } = await this.#look(this.#folder);
    if (bavail * bsize - bytes.byteLength < blocks * bsize * (1 - fullAt)) {
      const text = `the disk of ${this.#folder} is ${fullAt * 100} % full: make room there, set TMPDIR to another disk, or keep fewer objects`;
      throw new RuntimeError('E_STORE_FULL', text);
    }
    try {
      const file = await open(this.#fileOf(key), 'wx', 0o600);
      try {
        for (let at = 0; at < bytes.byteLength; ) {
          at += (await file.write(bytes, at, bytes.byteLength - at)).bytesWritten;
        }
      } finally {
        await file.close();
      }
    } catch (cause) {
      await this.remove(key);
      const text = `an object of ${bytes.byteLength} bytes cannot be written to ${this.#folder}: make room on that disk`;
      throw new RuntimeError('E_STORE_FULL', text, { cause });
    }
  }

  /** @throws RuntimeError `E_OBJECT_LOST` if the file is gone or was cut short. */
  async read(key: string, into: Uint8Array): Promise<void> {
    try {
      const file = await open(this.#fileOf(key), 'r');
      try {
        for (let at = 0; at < into.byteLength; ) {
          const { bytesRead } = await file.read(into, at, into.byteLength - at);
          if (bytesRead === 0) throw new Error(`it ends after ${at} of ${into.byteLength} bytes`);
          at += bytesRead;
        }
      } finally {
        await file.close();
      }
    } catch (cause) {
      const text = `stored object ${key} was on disk, in ${this.#folder}, and cannot be read back`;
      throw new RuntimeError('E_OBJECT_LOST', text, { cause });
    }
  }

  async remove(key: string): Promise<void> {
    await rm(this.#fileOf(key), { force: true });
  }

  close(): void {
    this.#remove?.();
  }

  /** Keys come from other processes: nothing in them may lead out of the folder. */
  #fileOf(key: string): string {
    return join(this.#folder, Buffer.from(key).toString('base64url'));
  }
}
