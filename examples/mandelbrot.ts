/** `node dist/examples/mandelbrot.js [width] [actors]`: bands of a picture on a pool of actors; out/mandelbrot.png. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { encode } from 'fast-png';
import { ActorPool } from '../actors/index.js';
import { startCluster } from '../runtime/index.js';
import type { View } from './mandelbrot-painter.js';

const [width = 960, actors = 4] = process.argv.slice(2).map(Number);
const height = Math.round((width * 2) / 3);
const view: View = { width, height, centre: [-0.7436, 0.1318], span: 0.012, iterations: 800 };
const rowsPerBand = 16;

await using local = await startCluster({ resources: { cpu: actors } });
const lib = await local.cluster.load<typeof import('./mandelbrot-painter.js')>(
  new URL('./mandelbrot-painter.js', import.meta.url),
);
const painters = await Promise.all(Array.from({ length: actors }, () => lib.BandPainter.create()));

const began = performance.now();
const bands = Array.from(
  { length: Math.ceil(height / rowsPerBand) },
  (_, band) => band * rowsPerBand,
);
const painted = new ActorPool(painters).map(
  (painter, from) => painter.paint(view, from, Math.min(from + rowsPerBand, height)),
  bands,
);
const data = new Uint8Array(width * height * 3);
let end = 0;
for await (const pixels of painted) {
  data.set(pixels, end);
  end += pixels.length;
}
const seconds = (performance.now() - began) / 1000;

const folder = fileURLToPath(new URL('../../out', import.meta.url));
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/mandelbrot.png`, encode({ width, height, data, channels: 3 }));
console.log(`${bands.length} bands by ${actors} actors in ${seconds.toFixed(2)} s`);
console.log(`Wrote out/mandelbrot.png, ${width} x ${height}`);
