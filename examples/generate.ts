/**
 * `node dist/examples/generate.js "a prompt" [ws://head:7420]`: a generation job from TypeScript. Without an address it
 * brings a cluster of its own.
 */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openPipeline } from '../pcpp/index.js';
import { connect, startCluster } from '../runtime/index.js';

const [prompt = 'green hills, a lake, night, starry sky', address] = process.argv.slice(2);
const model = fileURLToPath(new URL('../../examples/models/scenes', import.meta.url));

// Ctrl-C cancels the job; the devices are given back all the same.
const cancel = new AbortController();
process.once('SIGINT', () => cancel.abort());

await using local = address ? undefined : await startCluster();
await using cluster = local?.cluster ?? (await connect({ address: address! }));
await using pipeline = await openPipeline(cluster, { model });

const job = pipeline.generate(
  { prompt, width: 384, height: 192, seed: 3, mode: 'pcpp', borderFraction: 0.3 },
  { signal: cancel.signal },
);
for await (const progress of job) {
  if (progress.kind === 'step') {
    const { step, steps, stepMs, borderBytes, borderAge } = progress;
    console.log(
      `step ${step + 1}/${steps}: ${stepMs.toFixed(0)} ms, ${borderBytes} bytes, age ${borderAge ?? '-'}`,
    );
  }
}
const { image, png, settings } = await job.result;
writeFileSync('generated.png', png);
console.log(`generated.png: ${image.width}x${image.height}, seed ${settings.seed}`);
