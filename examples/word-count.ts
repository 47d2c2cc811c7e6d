/**
 * `node dist/examples/word-count.js [files]`: words of many files, counted by one task a file. Counts are merged two by
 * two by tasks that take the refs of others as arguments: the counts themselves go from task to task.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ObjectRef, startCluster } from '../runtime/index.js';
import type { Counts } from './word-count-tasks.js';

const docs = fileURLToPath(new URL('../../docs/', import.meta.url));
const given = process.argv.slice(2);
const files = given.length > 0 ? given : documents();

await using local = await startCluster();
const { cluster } = local;
const lib = await cluster.load<typeof import('./word-count-tasks.js')>(
  new URL('./word-count-tasks.js', import.meta.url),
);

const counted = files.map((file) => lib.countWords(cluster.put(readFileSync(file, 'utf8'))));
const counts = await mergeAll(counted);

const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
console.log(`${total} words in ${files.length} files, ${counts.size} different ones`);
const often = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, 10);
for (const [word, count] of often) console.log(`${String(count).padStart(6)} ${word}`);

function documents(): readonly string[] {
  return readdirSync(docs)
    .filter((name) => name.endsWith('.md'))
    .map((name) => docs + name);
}

function mergeAll(parts: readonly ObjectRef<Counts>[]): ObjectRef<Counts> {
  if (parts.length === 1) return parts[0]!;
  const half = Math.ceil(parts.length / 2);
  return lib.merge(mergeAll(parts.slice(0, half)), mergeAll(parts.slice(half)));
}
