import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { machineSizes, membersOf, sizesOf, statOf } from '../../runtime/proc.js';
import { isSameProcess, startTime } from '../../runtime/start-time.js';

test('a process is read whatever its name is, and nothing of one that is gone', async (t) => {
  const before = statOf(process.pid)!;
  const { title } = process;
  process.title = 'a) Z 1 (b';
  const named = statOf(process.pid)!;
  process.title = title;
  t.is(named.startedAt, before.startedAt);
  t.is(named.group, before.group);
  t.true(named.cpuSeconds > 0 && named.cpuSeconds < 10_000);
  t.true(isSameProcess({ pid: process.pid, startedAt: startTime(process.pid) }));
  const child = spawn('true');
  await once(child, 'exit');
  t.is(statOf(child.pid!), undefined);
  t.is(sizesOf(child.pid!), undefined);
  t.is(startTime(child.pid!), '');
});

test('sizes are bytes, and 0 for what nobody tells', (t) => {
  const own = sizesOf(process.pid)!;
  t.true(own('VmRSS') > 10 * 2 ** 20);
  t.is(own('Nonsense'), 0);
  t.true(machineSizes()!('MemTotal') > own('VmRSS'));
});

test('the members of a group are those that live', async (t) => {
  const leader = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; read -r line'], { detached: true });
  const exited = once(leader, 'exit');
  const [said] = (await once(leader.stdout!, 'data')) as [Buffer];
  const group = leader.pid!;
  t.deepEqual([...membersOf(group)!].sort(), [group, Number(said)].sort());
  leader.stdin.end();
  await exited;
  t.deepEqual(membersOf(group), [Number(said)]);
  process.kill(Number(said), 'SIGKILL');
});
