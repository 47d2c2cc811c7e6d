import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { decode } from 'fast-png';
import { BandPainter } from '../../examples/mandelbrot-painter.js';
import { hits } from '../../examples/pi-tasks.js';
import { countWords } from '../../examples/word-count-tasks.js';
import { tempFolder } from '../helpers/temp-folder.js';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const root = new URL('../../../', import.meta.url);
const folder = tempFolder('examples');

/** What the example prints; it must end well and leave no folder of a node. */
async function run(example: string, ...args: readonly (string | number)[]): Promise<string> {
  const child = spawn(process.execPath, [`${examples}${example}.js`, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  }
  const code = await new Promise((resolve) => child.once('close', resolve));
  const left = readdirSync(folder);
  if (code !== 0 || left.length > 0) {
    throw new Error(
      `${example} ended with ${code} and left ${left.join(', ') || 'nothing'}:\n${text}`,
    );
  }
  return text;
}

test.serial(
  'shared-array: tasks and an actor read one array, and its squares stay on a node',
  async (t) => {
    const text = await run('shared-array', 200_000, 3);
    t.regex(text, /200000 numbers add up to 19999900000, in 3 tasks/);
    t.regex(text, /from 0 to 199999\n/);
    t.regex(text, /squares from 0 to 39999600001\n/);
    t.regex(text, /1\.5 MiB in the memory of this program/);
    t.regex(text, /1\.5 MiB in the memory of node-\d/);
  },
);

test.serial('pi: every task counts the points of its own seed, and all are added', async (t) => {
  const text = await run('pi', 7, 3_000);
  const inside = [...Array(7).keys()].reduce((sum, seed) => sum + hits(seed, 3_000), 0);
  t.true(text.includes(`pi is about ${((4 * inside) / 21_000).toFixed(6)}`), text);
  t.not(hits(0, 3_000), hits(1, 3_000));
  t.true(Math.abs((4 * inside) / 21_000 - Math.PI) < 0.05);
});

test.serial(
  'job: a function computes pi in the cluster, a command tells how it ended',
  async (t) => {
    const text = await run('job', 5, 2_000);
    const inside = [...Array(5).keys()].reduce((sum, seed) => sum + hits(seed, 2_000), 0);
    t.true(
      text.includes(`  5 tasks have thrown 10000 darts\npi succeeded ${inside / 2_500}\n`),
      text,
    );
    t.regex(
      text,
      / {2}job report counts darts\nreport failed its command ended with exit code 3\n/,
    );
  },
);

test.serial('word count: as one process counts them', async (t) => {
  const files = ['README.md', 'LICENSE', 'docs/runtime.md', 'docs/errors.md', 'CHANGELOG.md'].map(
    (name) => fileURLToPath(new URL(name, root)),
  );
  const text = await run('word-count', ...files);
  const counts = countWords(files.map((file) => readFileSync(file, 'utf8')).join('\n'));
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  t.true(text.startsWith(`${total} words in 5 files, ${counts.size} different ones\n`), text);
  for (const [, count, word] of text.matchAll(/^ +(\d+) (\S+)$/gm)) {
    t.is(counts.get(word!), Number(count), word);
  }
  t.is([...text.matchAll(/^ +\d+ \S+$/gm)].length, 10);
});

test.serial('parameter server: the loss falls to what the noise leaves', async (t) => {
  const text = await run('parameter-server', 3, 60);
  const losses = [...text.matchAll(/^ +\d+ {3}([\d.]+)$/gm)].map(([, loss]) => Number(loss));
  t.is(losses.length, 6);
  t.true(losses[0]! > 5);
  t.true(losses.at(-1)! > 0.003 && losses.at(-1)! < 0.0037, text);
  t.true(Number(/error of a weight: ([\d.]+)/.exec(text)?.[1]) < 0.02);
});

test.serial('mandelbrot: the bands of the pool make one picture, in order', async (t) => {
  const text = await run('mandelbrot', 90, 3);
  t.regex(text, /^4 bands by 3 actors in [\d.]+ s\nWrote out\/mandelbrot\.png, 90 x 60\n$/);
  const image = decode(readFileSync(new URL('out/mandelbrot.png', root)));
  t.deepEqual([image.width, image.height, image.channels], [90, 60, 3]);
  const view = {
    width: 90,
    height: 60,
    centre: [-0.7436, 0.1318],
    span: 0.012,
    iterations: 800,
  } as const;
  t.true(Buffer.from(image.data.buffer).equals(new BandPainter().paint(view, 0, 60)));
  // Black where the set is, and nowhere else: its main body is in the upper right corner.
  const at = (row: number, column: number): readonly number[] =>
    [...image.data.slice((row * 90 + column) * 3, (row * 90 + column) * 3 + 3)] as number[];
  t.deepEqual(at(1, 88), [0, 0, 0]);
  t.notDeepEqual(at(30, 2), [0, 0, 0]);
});

test.serial(
  'hyper-parameter search: bad trials are stopped early, the best runs to its end',
  async (t) => {
    const text = await run('hyper-parameter-search', 96);
    const rows = [...text.matchAll(/^ +([\d.]+) +(\d+) +(\d+) {2}([\d.]+)( {2}stopped)?$/gm)];
    t.is(rows.length, 12);
    const trials = rows.map(([, rate, hidden, epochs, loss, stopped]) => ({
      name: `learning rate ${rate}, ${hidden} hidden units, loss ${loss}`,
      epochs: Number(epochs),
      loss: Number(loss),
      stopped: stopped !== undefined,
    }));
    const stopped = trials.filter((trial) => trial.stopped);
    const ended = trials.filter((trial) => !trial.stopped);
    t.true(stopped.length > 0 && ended.length > 0, text);
    t.true(
      stopped.every(({ epochs }) => [6, 12, 24, 48].includes(epochs)),
      text,
    );
    t.true(
      ended.every(({ epochs }) => epochs === 96),
      text,
    );
    const best = Math.min(...ended.map(({ loss }) => loss));
    t.true(
      ended.some(({ name, loss }) => loss === best && text.includes(`best: ${name}`)),
      text,
    );
    const spent = trials.reduce((sum, { epochs }) => sum + epochs, 0);
    t.true(text.includes(`${spent} of ${12 * 96} epochs`), text);
  },
);
