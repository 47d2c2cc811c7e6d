import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { bundle } from '../../../runtime/client/bundle.js';
import { hashOf } from '../../../runtime/head/code-store.js';
import { Loader } from '../../../runtime/worker/loader.js';
import { tempFolder } from '../../helpers/temp-folder.js';

/** A project with this main module and these packages, each a map from file to text. */
function project(main: string, packages: Readonly<Record<string, Record<string, string>>>): URL {
  const root = tempFolder('project');
  for (const [name, files] of Object.entries(packages)) {
    const folder = join(root, 'node_modules', name);
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  }
  writeFileSync(join(root, 'main.mjs'), main);
  return pathToFileURL(join(root, 'main.mjs'));
}

const plain = {
  'package.json': '{"name":"plain","version":"1.0.0","main":"index.js"}',
  'index.js': 'exports.two = 2;',
};
const native = {
  'package.json': '{"name":"native-thing","version":"1.0.0","main":"index.js"}',
  'index.js': 'exports.three = 3;',
  'binding.gyp': '{}',
};
const text = (source: Uint8Array): string => Buffer.from(source).toString();

test('a module is one file with its packages, and without the runtime', async (t) => {
  const main = `import { two } from 'plain';\nimport { context } from 'patchbay';\nexport class A { two() { return two; } me() { return context().self; } }\nexport const b = 1;`;
  const { source, externals, exports } = await bundle(project(main, { plain }));
  t.deepEqual([externals, [...exports].sort()], [[], ['A', 'b']]);
  t.regex(text(source), /two = 2/);
  t.regex(text(source), /from ?["']patchbay["']/);
});

test('packages with native code, and those that are named, stay outside', async (t) => {
  const main = `import { two } from 'plain';\nimport { three } from 'native-thing';\nexport class A { sum() { return two + three; } }`;
  const module = project(main, { plain, 'native-thing': native });
  t.deepEqual((await bundle(module)).externals, ['native-thing']);
  t.deepEqual((await bundle(module, { external: ['plain'] })).externals, ['native-thing', 'plain']);
});

test('the same module has the same name, wherever the program was started', async (t) => {
  const module = project(`import { two } from 'plain';\nexport class A { two() { return two; } }`, {
    plain,
  });
  const here = process.cwd();
  const first = hashOf((await bundle(module)).source);
  process.chdir(tempFolder('elsewhere'));
  const second = hashOf((await bundle(module)).source);
  process.chdir(here);
  t.is(second, first);
});

test('the same project in another folder has the same name', async (t) => {
  const main = `import { two } from 'plain';\nexport class A { two() { return two; } }`;
  const [one, two] = await Promise.all([
    bundle(project(main, { plain })),
    bundle(project(main, { plain })),
  ]);
  t.is(hashOf(one.source), hashOf(two.source));
});

test('what cannot be bundled is an E_BUNDLE in esbuild’s words', async (t) => {
  await t.throwsAsync(bundle(project('export class {', {})), {
    code: 'E_BUNDLE',
    message: /main\.mjs/,
  });
  await t.throwsAsync(bundle(project(`import 'not-installed-anywhere';`, {})), {
    code: 'E_BUNDLE',
    message: /not-installed-anywhere/,
  });
  await t.throwsAsync(bundle(new URL('file:///nonexistent/main.js')), { code: 'E_BUNDLE' });
});

test('a node that lacks a package says which, and asks again the next time', async (t) => {
  const loader = new Loader(tempFolder('bundles'), 'n2');
  const code = { source: new Uint8Array(), externals: ['not-installed-anywhere'] };
  let asked = 0;
  const load = (externals: readonly string[]): Promise<string> =>
    loader.file('c' as never, () => {
      asked++;
      return Promise.resolve({ ...code, externals });
    });
  await t.throwsAsync(load(code.externals), {
    code: 'E_EXTERNAL',
    message: /node n2 lacks not-installed-anywhere/,
  });
  t.regex(await load(['esbuild', '@huggingface/tokenizers']), /index\.mjs$/);
  t.is(await load([]), await load([]));
  t.is(asked, 2);
});
