import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { memoryOfGroup } from '../../../runtime/observe/process-usage.js';
import {
  leastLoss,
  type MachineMemory,
  MemoryWatch,
  type WatchedHost,
} from '../../../runtime/worker/memory-watch.js';

const gib = 1024 ** 3;

const host = (pid: number, options: Partial<WatchedHost> = {}): WatchedHost => ({
  pid,
  limitBytes: undefined,
  role: 'unique',
  since: pid,
  ...options,
});

/** A watch that looks when it is told, at what it is told. */
function watchOver(hosts: readonly WatchedHost[]) {
  const held = new Map<number, number>();
  const killed: [pid: number, why: string][] = [];
  const machine: { memory: MachineMemory } = { memory: { totalBytes: 100 * gib, usedBytes: 0 } };
  const watch = new MemoryWatch({
    hosts: () => hosts.filter(({ pid }) => !killed.some(([gone]) => gone === pid)),
    kill: (pid, why) => killed.push([pid, why]),
    memoryOf: (pid) => held.get(pid),
    machine: () => machine.memory,
  });
  watch.stop();
  return { watch, held, killed, machine };
}

test('a host that holds more than its actor was given is ended, no other', (t) => {
  const { watch, held, killed } = watchOver([host(1, { limitBytes: gib }), host(2)]);
  held.set(1, gib).set(2, 50 * gib);
  watch.look(0);
  t.deepEqual(killed, []);
  t.is(watch.lastOf(1), gib);
  held.set(1, 1.5 * gib);
  watch.look(1);
  t.deepEqual(killed, [[1, 'it held 1.50 GiB of memory and was given 1.00 GiB']]);
});

test('of a command all of its group counts, which is looked at for its limit or when it is to end', (t) => {
  const looked: number[] = [];
  const killed: [pid: number, why: string][] = [];
  const groups = [host(1, { isGroup: true, limitBytes: gib }), host(2, { isGroup: true })];
  const machine = { totalBytes: 100 * gib, usedBytes: 0 };
  const watch = new MemoryWatch({
    hosts: () => groups,
    kill: (pid, why) => killed.push([pid, why]),
    memoryOf: () => 0,
    memoryOfGroup: (group) => {
      looked.push(group);
      return group * 1.5 * gib;
    },
    machine: () => machine,
  });
  watch.stop();
  watch.look(0);
  t.deepEqual(looked, [1]);
  t.deepEqual(killed.splice(0), [[1, 'it held 1.50 GiB of memory and was given 1.00 GiB']]);
  groups.shift();
  machine.usedBytes = 96 * gib;
  watch.look(10_000);
  t.regex(killed[0]![1], /ran short of memory.*it held 3.00 GiB/);
});

test('what a group shares is counted once where it matters', async (t) => {
  const leader = spawn('/bin/sh', ['-c', 'sleep 60 & echo up; read -r line'], { detached: true });
  const exited = once(leader, 'exit');
  await once(leader.stdout!, 'data');
  const group = leader.pid!;
  const sum = memoryOfGroup(group, Number.POSITIVE_INFINITY)!;
  const exact = memoryOfGroup(group, 0)!;
  t.true(exact > 0 && exact < sum, `${exact} of ${sum}`);
  process.kill(-group, 'SIGKILL');
  await exited;
});

test('a machine that runs short ends one host, and waits for its memory before the next', (t) => {
  const hosts = [host(1), host(2, { role: 'retriable' }), host(3, { role: 'retriable' })];
  const { watch, held, killed, machine } = watchOver(hosts);
  held.set(3, 7 * gib);
  machine.memory = { totalBytes: 100 * gib, usedBytes: 95 * gib };
  watch.look(10_000);
  t.deepEqual(killed, []);
  machine.memory = { totalBytes: 100 * gib, usedBytes: 96 * gib };
  watch.look(10_250);
  watch.look(10_500);
  t.deepEqual(
    killed.map(([pid]) => pid),
    [3],
  );
  t.regex(killed[0]![1], /short of memory, 96.00 GiB of 100.00 GiB in use; it held 7.00 GiB/);
  watch.look(12_500);
  t.is(killed[1]![0], 2);
});

test('what costs least to lose: idle, then retriable, then the rest, the newest first', (t) => {
  const all = [
    host(1),
    host(5),
    host(2, { role: 'retriable' }),
    host(3, { role: 'retriable' }),
    host(4, { role: 'idle' }),
  ];
  const order: number[] = [];
  for (let rest = all; rest.length > 0; ) {
    const { pid } = leastLoss(rest)!;
    order.push(pid);
    rest = rest.filter((one) => one.pid !== pid);
  }
  t.deepEqual(order, [4, 3, 2, 5, 1]);
  t.is(leastLoss([]), undefined);
});
