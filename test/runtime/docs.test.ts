import { readFileSync } from 'node:fs';
import test from 'ava';
import { messageKinds } from '../../runtime/wire/shapes.js';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

/** The members of the union of codes in a source file. */
function codesIn(source: string): readonly string[] {
  const union = /ErrorCode =([\s\S]*?);\n/.exec(read(source))?.[1] ?? '';
  return [...union.matchAll(/\| '(E_[A-Z_]+)'/g)].map(([, code]) => code!).sort();
}

/** The codes that a section of docs/errors.md explains. */
function explained(section: string): readonly string[] {
  const text = read('docs/errors.md').split(`## ${section}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = [...text.matchAll(/^\| `(E_[A-Z_]+)` +\| \S.* \| \S.* \|$/gm)];
  return rows.map(([, code]) => code!).sort();
}

for (const [section, source] of [
  ['RuntimeError', 'runtime/errors.ts'],
  ['ActorsError', 'actors/errors.ts'],
  ['PcppError', 'pcpp/errors.ts'],
] as const) {
  test(`every code of ${section} is explained once, and no other`, (t) => {
    t.true(codesIn(source).length > 0);
    t.deepEqual(explained(section), codesIn(source));
  });
}

test('every kind of message is named in docs/runtime.md', (t) => {
  const text = read('docs/runtime.md');
  const missing = messageKinds.filter((kind) => !text.includes(`\`${kind}\``));
  t.deepEqual(missing, []);
});

test('docs/vocabulary.md has each word once', (t) => {
  const words = [...read('docs/vocabulary.md').matchAll(/^\| ([a-z][a-z, -]*) +\|/gm)]
    .map(([, word]) => word!.trim())
    .filter((word) => word !== 'word');
  t.true(words.length > 45, `${words.length}`);
  t.deepEqual([...new Set(words)], words);
});

test('limits in docs/runtime.md are those of the code', (t) => {
  const text = read('docs/runtime.md').replaceAll(/ +/g, ' ');
  for (const [limit, source, code] of [
    ['| 64 |', 'runtime/wire/endpoint.ts', /maxUnauthenticated \?\? 64/],
    ['| 512 MiB |', 'runtime/wire/websocket-link.ts', /maxFrameBytes: 512 \* 1024 \* 1024/],
    ['| 1 GiB |', 'runtime/wire/websocket-link.ts', /maxQueuedBytes: 1024 \* 1024 \* 1024/],
    ['pings every 5 s', 'runtime/wire/websocket-link.ts', /pingMs: 5_000/],
    ['| 10 s |', 'runtime/head/turn.ts', /nodeTimeoutMs: 10_000/],
    ['| 1,000 |', 'runtime/head/turn.ts', /maxGraves: 1_000/],
    ['| 200 |', 'runtime/head/turn.ts', /maxJobs: 200/],
    ['| 3 s |', 'runtime/worker/job-runner.ts', /graceMs = 3_000/],
  ] as const) {
    t.true(text.includes(limit), limit);
    t.regex(read(source), code);
  }
});
