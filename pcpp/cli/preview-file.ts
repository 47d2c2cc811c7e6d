/** The file that shows a picture while it is made: always whole, and gone once the picture is there. */

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { GenerationProgress } from '../engine/generation-progress.js';
import type { RgbImage } from '../image/decode.js';
import { encodePng } from '../image/png.js';

/** `boat.preview.png` for `boat.png`. */
export const previewPath = (output: string): string =>
  `${output.slice(0, output.length - extname(output).length)}.preview.png`;

export class PreviewFile implements Disposable {
  readonly #path: string;
  /** Pixels of the picture for each of a preview. */
  #factor = 1;
  #isWritten = false;

  /** @param output File of the picture. */
  constructor(output: string) {
    this.#path = previewPath(output);
  }

  show(progress: GenerationProgress): void {
    if (progress.kind === 'plan') {
      const { width, latent } = progress.settings;
      this.#factor = width / latent.width;
    }
    if (progress.kind !== 'preview') return;
    // Whoever looks at it meanwhile never sees half a file.
    const part = `${this.#path}.part`;
    writeFileSync(part, encodePng(enlarged(progress.image, this.#factor)));
    renameSync(part, this.#path);
    this.#isWritten = true;
  }

  [Symbol.dispose](): void {
    if (this.#isWritten) rmSync(this.#path, { force: true });
  }
}

/** Every pixel becomes a square of `factor` by `factor`. */
export function enlarged({ width, height, data }: RgbImage, factor: number): RgbImage {
  const wide = width * factor;
  const out = new Uint8Array(3 * wide * height * factor);
  for (let row = 0; row < height; row++) {
    const first = 3 * row * factor * wide;
    for (let column = 0; column < wide; column++) {
      const from = 3 * (row * width + Math.floor(column / factor));
      out.set(data.subarray(from, from + 3), first + 3 * column);
    }
    for (let copy = 1; copy < factor; copy++) {
      out.copyWithin(first + 3 * copy * wide, first, first + 3 * wide);
    }
  }
  return { width: wide, height: height * factor, data: out };
}
