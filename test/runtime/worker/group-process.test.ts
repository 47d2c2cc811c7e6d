import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { GroupProcess } from '../../../runtime/worker/group-process.js';
import { allGone } from '../../helpers/processes.js';
import { tempFolder } from '../../helpers/temp-folder.js';

const holder = fileURLToPath(new URL('../../fixtures/held-process.js', import.meta.url));

test('a process that is held begins when it is released, with nothing to read', async (t) => {
  const lines: string[] = [];
  const child = new GroupProcess('/bin/sh', ['-c', 'cat; echo "$0 $1"; exit 3', 'a b', '$c'], {
    env: {},
    isHeld: true,
  });
  child.onOutput = (_, line) => lines.push(line);
  child.release();
  t.is((await child.exited).code, 3);
  t.is(lines.join(''), 'a b $c\n');
});

test('a process that is held does nothing if whoever holds it is killed', async (t) => {
  const file = join(tempFolder('held'), 'ran');
  const child = spawn(process.execPath, [holder, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [pid, [, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  t.is(signal, 'SIGKILL');
  await allGone([Number(pid)]);
  t.false(existsSync(file));
});
