import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { transform } from 'esbuild';
import * as library from '../../actors/index.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
// Inside the package, where its own name is known.
const folder = mkdtempSync(`${root}dist/documents-`);
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

interface Block {
  readonly kind: string;
  readonly content: string;
}

const blocksOf = (page: string): readonly Block[] =>
  [...readFileSync(`${root}docs/${page}`, 'utf8').matchAll(/^```(ts|text)\n([\s\S]*?)^```$/gm)].map(
    ([, kind, content]) => ({ kind: kind!, content: content! }),
  );

const nameOf = ({ content }: Block): string | undefined => /^\/\/ (\S+)\.ts\n/.exec(content)?.[1];

/** The programs of a page as JavaScript, in a folder of their own. */
async function write(page: string, blocks: readonly Block[]): Promise<string> {
  const place = `${folder}/${page}`;
  mkdirSync(place);
  for (const block of blocks.filter(({ kind }) => kind === 'ts')) {
    const name = nameOf(block);
    if (!name) throw new Error(`a program in docs/${page} does not begin with // name.ts`);
    const options = { loader: 'ts', target: 'node20', format: 'esm' } as const;
    writeFileSync(`${place}/${name}.js`, (await transform(block.content, options)).code);
  }
  return place;
}

let programs = 0;
for (const page of readdirSync(`${root}docs`).filter((name) => name.endsWith('.md'))) {
  const blocks = blocksOf(page);
  const written = blocks.length > 0 ? write(page, blocks) : undefined;
  for (const [place, { kind, content: printed }] of blocks.entries()) {
    const name = kind === 'text' ? nameOf(blocks[place - 1]!) : undefined;
    if (!name) continue;
    programs++;
    test.serial(`docs/${page}: ${name} prints what is written under it`, async (t) => {
      const file = `${await written}/${name}.js`;
      const { stdout } = await promisify(execFile)(process.execPath, [file]);
      t.is(stdout, printed);
    });
  }
}

test('there are programs to run', (t) => {
  t.true(programs >= 9);
});

test('docs/actors.md names every class of the library', (t) => {
  const text = readFileSync(`${root}docs/actors.md`, 'utf8');
  const classes = Object.entries(library).filter(
    ([name, value]) => /^class /.test(String(value)) && name !== 'ActorsError',
  );
  t.true(classes.length >= 6);
  for (const [name] of classes) t.true(text.includes(`\`${name}`), name);
});
