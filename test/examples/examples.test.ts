import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { decodePng } from '../../pcpp/index.js';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const out = fileURLToPath(new URL('../../../out/', import.meta.url));

async function run(example: string, cwd: string, ...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(examples, example), ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  child.stderr.on('data', (data) => {
    text += data;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${example} ended with ${code}:\n${text}`);
  return text;
}

test.serial('the demo writes both pictures and a table of what it measured', async (t) => {
  const since = Date.now() - 1000;
  const text = await run('demo.js', process.cwd());
  for (const file of ['demo.png', 'demo-single.png']) {
    t.true(statSync(join(out, file)).mtimeMs >= since);
    const { image } = decodePng(readFileSync(join(out, file)));
    t.is(image.width, 256);
    t.is(image.height, 256);
  }
  t.regex(text, /ms\/step {2}[\d.]+ \w+ of borders {2}age 1/);
  t.regex(text, /devices\s+2\s+1\n/);
  t.regex(text, /mode\s+pcpp\s+single\n/);
  t.regex(text, /border fraction\s+0\.3/);
  t.regex(text, /speed\s+[\d.]+x\s+1\.00x/);
  t.regex(text, /border bytes per step\s+[\d.]+ \w+/);
  t.regex(text, /in DistriFusion mode\s+[\d.]+ \w+ \(\d+ % of it sent\)/);
  t.regex(text, /PSNR to one device\s+[\d.]+ dB/);
  t.regex(text, /SSIM to one device\s+0\.\d+/);
});

test.serial('the generation example makes its picture', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'patchbay-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const text = await run('generate.js', folder, 'red canyon, a desert');
  t.regex(text, /step 21\/24: .* age 1/);
  t.regex(text, /step 24\/24: .* age 0/);
  const { image, text: notes } = decodePng(readFileSync(join(folder, 'generated.png')));
  t.is(image.width, 384);
  t.is(notes['Prompt'], 'red canyon, a desert');
});

test.serial('the plate is the same on three workers as on one process', async (t) => {
  const text = await run('heat/heat.js', process.cwd(), '3');
  t.regex(text, /0\s+100 0\.00e\+0\s+3072/);
  t.regex(text, /0\s+1000 0\.00e\+0\s+3072/);
  t.regex(text, /1\s+1000 [1-9]/);
});
