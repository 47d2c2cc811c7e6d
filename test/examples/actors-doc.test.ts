import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { transform } from 'esbuild';
import * as library from '../../actors/index.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const text = readFileSync(`${root}docs/actors.md`, 'utf8');
const blocks = [...text.matchAll(/^```(ts|text)\n([\s\S]*?)^```$/gm)].map(([, kind, content]) => ({
  kind,
  content: content!,
}));
const sources = blocks.filter(({ kind }) => kind === 'ts').map(({ content }) => content);
const nameOf = (source: string): string => /^\/\/ (\S+)\.ts\n/.exec(source)![1]!;

// Inside the package, where its own name is known.
const folder = mkdtempSync(`${root}dist/actors-doc-`);

test.before(async () => {
  for (const source of sources) {
    const { code } = await transform(source, { loader: 'ts', target: 'node20', format: 'esm' });
    writeFileSync(`${folder}/${nameOf(source)}.js`, code);
  }
});

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

for (const [place, { kind, content: printed }] of blocks.entries()) {
  if (kind !== 'text') continue;
  const program = nameOf(blocks[place - 1]!.content);
  test.serial(`docs/actors.md: ${program} prints what is written under it`, async (t) => {
    const { stdout } = await promisify(execFile)(process.execPath, [`${folder}/${program}.js`]);
    t.is(stdout, printed);
  });
}

test('docs/actors.md names every class of the library', (t) => {
  const classes = Object.entries(library).filter(
    ([name, value]) => /^class /.test(String(value)) && name !== 'ActorsError',
  );
  t.true(classes.length >= 6);
  for (const [name] of classes) t.true(text.includes(`\`${name}`), name);
});
