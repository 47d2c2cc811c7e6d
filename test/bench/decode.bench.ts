/**
 * Decoding a latent on one device against strips of it on several: time and memory of the device that has most to do,
 * and how many of the image's values differ. Every strip is decoded in a process of its own, one after another, so each
 * has the machine to itself as a device would.
 *
 *   node dist/test/bench/decode.bench.js [rounds=7] [pixels=512,1024] [patches=1,2,4]
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { decodeLatents, type RgbImage, stackRows, toRgb } from '../../pcpp/image/decode.js';
import { splitDecoder } from '../../pcpp/image/decoder-reach.js';
import { Model } from '../../pcpp/model/model.js';
import { type Strip, stripsOf } from '../../pcpp/partition/strips.js';
import { takeRows } from '../../pcpp/tensor.js';
import { table } from '../../runtime/cli/index.js';
import { scenesPath } from '../helpers/golden.js';
import { noise } from '../helpers/small-graph.js';

interface Work {
  /** Latent rows and columns of the whole image. */
  readonly side: number;
  readonly strip: Strip;
  readonly rounds: number;
}

interface Cost {
  readonly ms: number;
  /** Peak of resident memory above what the process had with the decoder loaded. */
  readonly bytes: number;
}

async function decodeStrip(model: Model, side: number, { reads, keeps }: Strip): Promise<RgbImage> {
  const latent = takeRows(noise([1, 8, side, side], 3), ...reads);
  const decoder = await model.session('vae_decoder');
  const pixels = await decodeLatents(decoder, latent, model.directory.vae);
  return toRgb(takeRows(pixels, ...keeps))[0]!;
}

/** In a process of its own. */
async function measure({ side, strip, rounds }: Work): Promise<Cost> {
  await using model = Model.open(scenesPath);
  await decodeStrip(model, 1, { reads: [0, 1], keeps: [0, 8] });
  const before = process.memoryUsage.rss();
  // The kernel's own high-water mark, put back to what it is now.
  writeFileSync('/proc/self/clear_refs', '5');
  const times: number[] = [];
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await decodeStrip(model, side, strip);
    times.push(performance.now() - start);
    // Of the first round: what later ones add is garbage that nobody has collected yet.
    if (round === 0) bytes = peakBytes() - before;
  }
  return { ms: times.toSorted((a, b) => a - b)[Math.floor(rounds / 2)]!, bytes };
}

function peakBytes(): number {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))!;
  return 1024 * Number(kilobytes);
}

async function inItsOwnProcess(work: Work): Promise<Cost> {
  const child = fork(new URL(import.meta.url), [JSON.stringify(work)]);
  const [cost] = await once(child, 'message');
  await once(child, 'exit');
  return cost;
}

async function report(): Promise<void> {
  const [rounds = '7', pixels = '512,1024', patches = '1,2,4'] = process.argv.slice(2);
  const numbers = (list: string): number[] => list.split(',').map(Number);
  const load = loadavg()[0]!.toFixed(1);
  console.log(`${cpus()[0]!.model}, ${availableParallelism()} cores, load ${load} before the run`);
  await using model = Model.open(scenesPath);
  const rows: string[][] = [];
  for (const side of numbers(pixels).map((pixel) => pixel / 8)) {
    const size = { height: side, width: side };
    const { reach } = await splitDecoder(model.directory.graph('vae_decoder'), size);
    if (reach.kind !== 'rows') throw new Error('this decoder looks at the whole image');
    const whole = await decodeStrip(model, side, { reads: [0, side], keeps: [0, 8 * side] });
    for (const count of numbers(patches)) {
      const bounds = Array.from({ length: count + 1 }, (_, index) => (side / count) * index);
      const strips = stripsOf(reach, bounds);
      const costs: Cost[] = [];
      const images: RgbImage[] = [];
      for (const strip of strips) {
        costs.push(await inItsOwnProcess({ side, strip, rounds: Number(rounds) }));
        images.push(await decodeStrip(model, side, strip));
      }
      const differences = stackRows(images).data.map((value, at) =>
        Math.abs(value - whole.data[at]!),
      );
      rows.push([
        `${8 * side}`,
        `${count}`,
        `${Math.max(...strips.map(({ reads: [from, to] }) => to - from))}`,
        `${Math.max(...costs.map(({ ms }) => ms)).toFixed(0)} ms`,
        `${(Math.max(...costs.map(({ bytes }) => bytes)) / 1e6).toFixed(0)} MB`,
        `${differences.filter((value) => value > 0).length} of ${differences.length}`,
        `${differences.reduce((most, value) => Math.max(most, value), 0)}`,
      ]);
    }
  }
  const head = ['pixels', 'devices', 'latent rows', 'time', 'memory', 'values that differ', 'by'];
  console.log(table(head, rows));
}

const given = process.argv[2];
if (given?.startsWith('{')) process.send!(await measure(JSON.parse(given)));
else await report();
