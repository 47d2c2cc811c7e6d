import { readFileSync } from 'node:fs';
import test from 'ava';
import { parseRequest } from '../../../pcpp/engine/generation-request.js';

test('docs/generation.md has a row for every option of a request, and no other', (t) => {
  const page = readFileSync(new URL('../../../../docs/generation.md', import.meta.url), 'utf8');
  const table = page
    .split('## A request\n')[1]!
    .split('\n\n')
    .find((part) => part.startsWith('|'))!;
  const named = table
    .split('\n')
    .slice(2)
    .flatMap((row) => [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map(([, name]) => name!));
  const { message } = t.throws(() => parseRequest({ prompt: '', nothing: 1 }), {
    code: 'E_OPTION',
  })!;
  const options = /options: (.*)$/.exec(message)![1]!.split(', ');
  t.deepEqual(named.toSorted(), options.toSorted());
});
