/** Bands of the Mandelbrot set in colour. */

export interface View {
  /** Of the whole picture, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Its middle in the complex plane, and its width there. */
  readonly centre: readonly [re: number, im: number];
  readonly span: number;
  /** A point that has not escaped by then counts as one of the set. */
  readonly iterations: number;
}

export class BandPainter {
  /** Rows [from, to) as RGB bytes, row by row. */
  paint(view: View, from: number, to: number): Uint8Array {
    const { width } = view;
    const pixels = new Uint8Array((to - from) * width * 3);
    let at = 0;
    for (let row = from; row < to; row++) {
      for (let column = 0; column < width; column++) {
        pixels.set(colourOf(escapeAt(view, row, column), view.iterations), at);
        at += 3;
      }
    }
    return pixels;
  }
}

/** Iterations until the point of a pixel escapes, with a fraction that makes colours run smoothly. */
function escapeAt(view: View, row: number, column: number): number {
  const { width, height, centre, span, iterations } = view;
  const re = centre[0] + ((column + 0.5) / width - 0.5) * span;
  const im = centre[1] - (((row + 0.5) / height - 0.5) * span * height) / width;
  let [x, y] = [0, 0];
  for (let n = 0; n < iterations; n++) {
    [x, y] = [x * x - y * y + re, 2 * x * y + im];
    const square = x * x + y * y;
    if (square > 256) return n + 1 - Math.log2(Math.log2(square) / 8);
  }
  return iterations;
}

function colourOf(escaped: number, iterations: number): readonly [number, number, number] {
  if (escaped >= iterations) return [0, 0, 0];
  const shade = Math.log2(1 + escaped) * 2.2;
  const wave = (phase: number): number => Math.round(127.5 + 127.5 * Math.cos(shade - phase));
  return [wave(5.4), wave(4.6), wave(3.6)];
}
